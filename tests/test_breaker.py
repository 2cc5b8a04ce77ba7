"""Step-aside, the breaker, warnings, stops, and sending what was missed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from conversations.tasks import HANDLERS
from integrations import jobs
from integrations.models import Attempt, Delivery, Event, Job, Lane, Replay, RestWebhook
from integrations.services import cards
from integrations.services.replays import cancel_replay, send_again, start_missed, start_replay
from tests.conftest import log_in, person
from tests.test_deliveries import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = "2020-01-01T00:00Z"


def hurry() -> None:
    """Make everything that waits for its time due."""
    Delivery.objects.filter(next_attempt_at__isnull=False, claim=None).update(next_attempt_at=LONG_AGO)
    Lane.objects.update(next_due_at=LONG_AGO, open_until=None)


def run_jobs() -> None:
    while jobs.run_due(HANDLERS):
        pass


def lane_of(source) -> Lane:
    return Lane.objects.get(rest_webhook__source=source)


def open_for(source) -> timedelta:
    until = lane_of(source).open_until
    assert until
    return until - timezone.now()


def attempts_made(count: int):
    return lambda: Delivery.objects.filter(claim=None, attempts=count).first()


# --- step-aside ---


def test_after_its_4th_failure_the_head_steps_aside_and_the_next_goes_on(
    worker, receiver, webhook_at, eastgate, lead_at
):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500] * 4
    lead_at(eastgate)
    lead_at(eastgate, message="Second")
    for count in (1, 2, 3):
        wait_for(attempts_made(count))
        assert len(receiver.requests) == count  # the second waits
        hurry()
    wait_for(lambda: Attempt.objects.filter(outcome="delivered").first())
    assert [body["sequence"] for body in receiver.bodies()] == [1, 1, 1, 1, 2]
    aside = Delivery.objects.get()
    assert (aside.is_aside, aside.order_key, aside.attempts) == (True, None, 4)
    hurry()
    wait_for(lambda: not Delivery.objects.exists())
    last = Attempt.objects.latest("id")
    assert (last.outcome, last.is_aside) == ("delivered", True)
    assert receiver.requests[-1]["headers"]["webhook-out-of-order"] == "true"
    assert "webhook-out-of-order" not in receiver.requests[0]["headers"]


def test_a_receiver_that_asks_for_hours_blocks_no_conversation(worker, receiver, webhook_at, eastgate, lead_at):
    def busy(handler) -> None:
        handler.send_response(503)
        handler.send_header("Retry-After", "86400")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    webhook_at(eastgate, receiver.url)
    receiver.answers = [busy]
    lead_at(eastgate)
    lead_at(eastgate, message="Second")
    receiver.wait(2)
    assert [body["sequence"] for body in receiver.bodies()] == [1, 2]
    aside = wait_for(lambda: Delivery.objects.filter(is_aside=True).first())
    assert aside.attempts == 0  # it does not count
    assert aside.next_attempt_at > timezone.now() + timedelta(hours=23)


# --- breaker ---


def test_the_breaker_opens_after_8_failures_in_a_row_then_sends_one_probe(
    worker, receiver, webhook_at, eastgate, lead_at
):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500] * 100
    for number in range(20):
        lead_at(eastgate, f"ava{number}@example.net")
    wait_for(lambda: lane_of(eastgate).opens == 1)
    wait_for(lambda: not Delivery.objects.exclude(claim=None).exists())
    seen = len(receiver.requests)
    assert seen >= 8
    left = open_for(eastgate)
    assert timedelta(seconds=2) < left <= timedelta(seconds=5)
    Delivery.objects.update(next_attempt_at=LONG_AGO)
    Lane.objects.update(next_due_at=LONG_AGO)
    import time

    time.sleep(1.5)
    assert len(receiver.requests) == seen  # open: nothing goes out
    hurry()  # its time has come: half open
    wait_for(lambda: lane_of(eastgate).opens == 2)
    assert len(receiver.requests) == seen + 1
    assert open_for(eastgate) > timedelta(seconds=7)
    receiver.answers.clear()
    hurry()
    wait_for(lambda: not Delivery.objects.exists())
    lane = lane_of(eastgate)
    assert (lane.opens, lane.failures, lane.open_until, lane.failing_since) == (0, 0, None, None)


def test_a_dead_endpoint_delays_nobody_else(worker, receiver, webhook_at, eastgate, westgate, lead_at):
    webhook_at(eastgate, "http://127.0.0.1:9/dead")
    webhook_at(westgate, receiver.url)
    for number in range(30):
        lead_at(eastgate, f"ava{number}@example.net")
    lead_at(westgate)
    receiver.wait(1, seconds=1.5)


# --- warned, stopped, told ---


@pytest.fixture
def failing(worker, receiver, webhook_at, eastgate, lead_at):
    """Let the endpoint fail once more, as if it had failed for so long."""

    def fail(days: float, answer=500) -> Lane:
        if not eastgate.restwebhook.is_enabled:
            webhook_at(eastgate, receiver.url)
            eastgate.refresh_from_db()
        RestWebhook.objects.filter(source=eastgate).update(enabled_at=timezone.now() - timedelta(days=30))
        Lane.objects.filter(rest_webhook__source=eastgate).update(
            failing_since=timezone.now() - timedelta(days=days, minutes=1)
        )
        before = len(receiver.requests)
        receiver.answers = [answer]
        lead_at(eastgate, f"lead{before}@example.net")
        receiver.wait(before + 1)
        wait_for(lambda: not Delivery.objects.exclude(claim=None).exists())
        return lane_of(eastgate)

    return fail


def test_people_are_warned_after_1_and_3_days_once_each_and_told_of_the_stop(failing, mailoutbox, dana, northside):
    person("max", northside, "manager")
    person("ann", northside, "agent")
    for days, mails in ((0.5, 0), (1, 2), (2, 2), (3, 4), (4, 4)):
        lane = failing(days)
        run_jobs()
        assert (len(mailoutbox), lane.stopped_at) == (mails, None), days
    assert {mail.to[0] for mail in mailoutbox} == {"dana@example.com", "max@example.com"}
    assert "has been failing" in mailoutbox[0].subject
    assert failing(5).stopped_at
    run_jobs()
    assert "was stopped" in mailoutbox[-1].subject
    event = Event.objects.get(type="webhook.disabled")
    assert event.payload["reason"] == "Nothing but failures for 5 days"


def test_the_card_shows_the_warning_and_the_stop(failing, dana_client, eastgate):
    path = f"/sources/{eastgate.public_id}/messaging/integrations/"
    failing(1)
    assert "this webhook is stopped" in dana_client.get(path).content.decode()
    failing(5)
    assert "Turn on and send what was missed" in dana_client.get(path).content.decode()


def test_a_410_of_a_location_warns_the_parent_and_stops_only_the_location(
    worker, receiver, webhook_at, plumbing, eastgate, lead_at, actor, dana_client, mailoutbox
):
    webhook_at(plumbing, receiver.url)
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    receiver.answers = [410]
    lead_at(eastgate)
    wait_for(lambda: lane_of(eastgate).stopped_at)
    run_jobs()
    page = dana_client.get(f"/sources/{plumbing.public_id}/messaging/integrations/").content.decode()
    assert "Eastgate: stopped." in page
    assert "whose own webhook goes on" in mailoutbox[0].body
    lead_at(plumbing)
    receiver.wait(2)


# --- what was missed ---


def test_events_while_stopped_are_kept_and_sent_when_asked_also_to_a_new_url(
    worker, receiver, webhook_at, eastgate, lead_at, actor
):
    webhook_at(eastgate, "http://127.0.0.1:9/dead")
    RestWebhook.objects.filter(source=eastgate).update(enabled_at=timezone.now() - timedelta(days=30))
    Lane.objects.filter(rest_webhook__source=eastgate).update(failing_since=timezone.now() - timedelta(days=6))
    lead_at(eastgate, "first@example.net")
    wait_for(lambda: lane_of(eastgate).stopped_at)
    run_jobs()
    lead_at(eastgate, "second@example.net")
    lead_at(eastgate, "second@example.net", message="More")
    cards.configure(card=eastgate.restwebhook, actor=actor, url=receiver.url)
    card = RestWebhook.objects.with_owner().select_related("lane").get(source=eastgate)
    job = start_missed(card=card, actor=actor)
    assert job
    run_jobs()
    receiver.wait(3)
    wait_for(lambda: not Delivery.objects.exists())
    told = {(body["type"], body["data"]["lead"]["email"], body["sequence"]) for body in receiver.bodies()}
    assert told == {
        ("lead.created", "first@example.net", 1),
        ("lead.created", "second@example.net", 1),
        ("message.received", "second@example.net", 2),
    }
    of_second = [body["sequence"] for body in receiver.bodies() if "second" in body["data"]["lead"]["email"]]
    assert of_second == [1, 2]
    assert len({body["id"] for body in receiver.bodies()}) == 3


def test_turned_on_again_without_what_was_missed_it_starts_clean(failing, dana_client, eastgate, receiver, lead_at):
    failing(5)
    run_jobs()
    lead_at(eastgate, "missed@example.net")
    path = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/enabled/"
    dana_client.post(path, {"on": "1"})
    lane = lane_of(eastgate)
    assert (lane.stopped_at, lane.failing_since, lane.warned_days, lane.missed_since) == (None, None, 0, None)
    count = len(receiver.requests)
    lead_at(eastgate, "fresh@example.net")
    receiver.wait(count + 1)
    assert receiver.bodies()[-1]["data"]["lead"]["email"] in ("fresh@example.net", "lead0@example.net")
    assert not [body for body in receiver.bodies() if body["data"]["lead"]["email"] == "missed@example.net"]


# --- replay ---


@pytest.fixture
def told(worker, receiver, webhook_at, eastgate, lead_at):
    """Ten leads, of which the endpoint got the even ones; the odd ones failed for good."""
    webhook_at(eastgate, receiver.url)

    def gone(handler) -> None:
        handler.send_response(500)
        handler.send_header("webhook-delivery", "abort-message")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    for number in range(10):
        receiver.answers = [gone] if number % 2 else []
        lead_at(eastgate, f"lead{number}@example.net")
        receiver.wait(number + 1)
        wait_for(lambda: not Delivery.objects.exists())
    receiver.requests.clear()
    return RestWebhook.objects.with_owner().select_related("lane").get(source=eastgate)


def emails(receiver) -> list[str]:
    return sorted(body["data"]["lead"]["email"] for body in receiver.bodies())


def ago(**length: float):
    return timezone.now() - timedelta(**length)


def test_all_failed_since_are_sent_and_no_others(told, receiver, actor):
    job = start_replay(card=told, actor=actor, since=ago(hours=1))
    run_jobs()
    receiver.wait(5)
    wait_for(lambda: not Delivery.objects.exists())
    assert emails(receiver) == [f"lead{number}@example.net" for number in (1, 3, 5, 7, 9)]
    job.refresh_from_db()
    assert (job.status, job.done, job.total) == ("done", 5, 5)


def test_a_dry_run_counts_and_sends_nothing(told, receiver, actor):
    job = start_replay(card=told, actor=actor, since=ago(hours=1), only_undelivered=False, is_dry_run=True)
    run_jobs()
    job.refresh_from_db()
    assert (job.status, job.done) == ("done", 10)
    assert not Delivery.objects.exists()
    assert not receiver.requests


def test_a_range_with_a_filter_of_types(told, receiver, actor, lead_at, eastgate):
    lead_at(eastgate, "lead0@example.net", message="More")
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    receiver.requests.clear()
    start_replay(card=told, actor=actor, since=ago(hours=1), event_types=["message.received"], only_undelivered=False)
    run_jobs()
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    assert [body["data"]["message"]["content"] for body in receiver.bodies()] == ["More"]
    start_replay(card=told, actor=actor, since=ago(days=3), until=ago(days=2), only_undelivered=False)
    run_jobs()
    assert not Delivery.objects.exists()


def test_a_replay_that_was_killed_goes_on_where_it_was(told, receiver, actor, monkeypatch):
    from integrations.services import replays

    monkeypatch.setattr(replays, "PORTION", 3)
    monkeypatch.setattr(replays, "PORTIONS_AT_ONCE", 2)
    job = start_replay(card=told, actor=actor, since=ago(hours=1), only_undelivered=False)
    replays.run_replay(job.subject_id)  # six, and then its process is gone
    assert Replay.objects.get().cursor
    run_jobs()
    receiver.wait(10)
    wait_for(lambda: not Delivery.objects.exists())
    assert emails(receiver) == [f"lead{number}@example.net" for number in range(10)]
    job.refresh_from_db()
    assert (job.status, job.done) == ("done", 10)


def test_a_cancelled_replay_takes_back_what_waits(told, receiver, actor):
    Lane.objects.update(held_at=timezone.now())
    job = start_replay(card=told, actor=actor, since=ago(hours=1))
    run_jobs()
    job.refresh_from_db()
    assert Delivery.objects.count() == 5
    assert cancel_replay(job=job, card=told, actor=actor) == 5
    Lane.objects.update(held_at=None)
    assert not Delivery.objects.exists()
    assert Attempt.objects.filter(outcome="cancelled").count() == 5


def test_a_replay_does_not_hold_up_fresh_events_of_its_conversations(told, receiver, actor, lead_at, eastgate):
    Lane.objects.update(held_at=timezone.now())
    start_replay(card=told, actor=actor, since=ago(hours=1), only_undelivered=False)
    run_jobs()
    Delivery.objects.update(next_attempt_at=F("next_attempt_at") + timedelta(hours=1))
    Lane.objects.update(held_at=None)
    lead_at(eastgate, "lead1@example.net", message="Fresh")
    receiver.wait(1)
    assert receiver.bodies()[0]["data"]["message"]["content"] == "Fresh"


def test_one_delivery_is_sent_again_with_the_same_webhook_id(told, receiver, actor, dana_client):
    ended = Attempt.objects.filter(outcome="failed").first()
    assert "Send again" in dana_client.get(f"/deliveries/{_dlv(ended.delivery_id)}/").content.decode()
    again = send_again(delivery_id=ended.delivery_id, card=told, actor=actor)
    [request] = receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    assert again.pk != ended.delivery_id
    assert request["headers"]["webhook-id"] == Event.objects.get(pk=ended.event_id).public_id


def test_the_pages_of_a_replay_count_send_and_cancel(told, receiver, dana_client, eastgate):
    base = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/replays/"
    form = {"since": ago(hours=1).strftime("%Y-%m-%dT%H:%M"), "only_undelivered": "on"}
    counted = dana_client.post(base, {**form, "count": "1"})["Location"]
    run_jobs()
    assert "Send these 5" in dana_client.get(counted).content.decode()
    sent = dana_client.post(counted, {"send": "1"})["Location"]
    run_jobs()
    receiver.wait(5)
    assert "queued for sending" in dana_client.get(sent, headers={"HX-Request": "true"}).content.decode()
    assert dana_client.post(base, {"since": "never"}).status_code == 200
    wrong = dana_client.post(base, {"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"})
    assert "The time ends before it begins." in wrong.content.decode()


def test_only_one_replay_of_a_webhook_at_a_time(told, actor, dana_client, eastgate):
    start_replay(card=told, actor=actor, since=ago(hours=1))
    base = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/replays/"
    answer = dana_client.post(base, {"since": "2026-01-01T00:00", "start": "1"})
    assert "A replay is under way already" in answer.content.decode()
    assert Job.objects.filter(category="replay").count() == 1


def test_only_who_may_configure_replays(told, northside, eastgate):
    base = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/replays/"
    agent = log_in(person("ann", northside, "agent"))
    assert agent.get(base).status_code == 403
    assert agent.post(base, {"since": "2026-01-01T00:00"}).status_code == 403


def _dlv(pk) -> str:
    from accounts.ids import encode

    return encode("dlv", pk)
