"""Sending again: what was missed, all that failed, a range, one delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from core.problems import Refusal
from integrations import services as cards
from outbox.models import Job, Lane
from tests.support.due import run_jobs
from tests.support.people import log_in, person
from tests.support.steps import lane_of
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, Event, Replay, RestWebhook
from webhooks.services.replays import cancel_replay, send_again, start_missed, start_replay

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = "2020-01-01T00:00Z"


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
    card = RestWebhook.objects.with_credential_card().select_related("lane").get(source=eastgate)
    job = start_missed(endpoint=card, actor=actor)
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


def test_what_was_missed_is_known_before_anybody_was_told_of_the_stop(
    worker, receiver, webhook_at, eastgate, lead_at, actor
):
    webhook_at(eastgate, receiver.url)
    RestWebhook.objects.filter(source=eastgate).update(enabled_at=timezone.now() - timedelta(days=30))
    Lane.objects.filter(rest_webhook__source=eastgate).update(stopped_at=timezone.now())
    lead_at(eastgate)
    cards.switch(card=eastgate.restwebhook, on=False, actor=actor)  # a person turned it off meanwhile
    card = RestWebhook.objects.with_credential_card().select_related("lane").get(source=eastgate)
    assert start_missed(endpoint=card, actor=actor)
    run_jobs()
    receiver.wait(1)
    assert RestWebhook.objects.get(source=eastgate).is_enabled


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
    return RestWebhook.objects.with_credential_card().select_related("lane").get(source=eastgate)


def emails(receiver) -> list[str]:
    return sorted(body["data"]["lead"]["email"] for body in receiver.bodies())


def ago(**length: float):
    return timezone.now() - timedelta(**length)


def test_all_failed_since_are_sent_and_no_others(told, receiver, actor):
    job = start_replay(endpoint=told, actor=actor, since=ago(hours=1))
    run_jobs()
    receiver.wait(5)
    wait_for(lambda: not Delivery.objects.exists())
    assert emails(receiver) == [f"lead{number}@example.net" for number in (1, 3, 5, 7, 9)]
    job.refresh_from_db()
    assert (job.status, job.done, job.total) == ("done", 5, 5)


def test_a_dry_run_counts_and_sends_nothing(told, receiver, actor):
    job = start_replay(endpoint=told, actor=actor, since=ago(hours=1), only_undelivered=False, is_dry_run=True)
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
    start_replay(
        endpoint=told, actor=actor, since=ago(hours=1), event_types=["message.received"], only_undelivered=False
    )
    run_jobs()
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    assert [body["data"]["message"]["content"] for body in receiver.bodies()] == ["More"]
    start_replay(endpoint=told, actor=actor, since=ago(days=3), until=ago(days=2), only_undelivered=False)
    run_jobs()
    assert not Delivery.objects.exists()


def test_a_replay_that_was_killed_goes_on_where_it_was(told, receiver, actor, monkeypatch):
    from webhooks.services import replays

    monkeypatch.setattr(replays, "PORTION", 3)
    monkeypatch.setattr(replays, "PORTIONS_AT_ONCE", 2)
    job = start_replay(endpoint=told, actor=actor, since=ago(hours=1), only_undelivered=False)
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
    job = start_replay(endpoint=told, actor=actor, since=ago(hours=1))
    run_jobs()
    job.refresh_from_db()
    assert Delivery.objects.count() == 5
    assert cancel_replay(job=job, actor=actor) == 5
    Lane.objects.update(held_at=None)
    assert not Delivery.objects.exists()
    assert Attempt.objects.filter(outcome="cancelled").count() == 5


def test_cancelling_a_count_or_an_older_replay_takes_nothing_of_a_later_one_back(told, actor):
    Lane.objects.update(held_at=timezone.now())
    count = start_replay(endpoint=told, actor=actor, since=ago(hours=1), is_dry_run=True)
    older = start_replay(endpoint=told, actor=actor, since=ago(days=3), until=ago(days=2))
    run_jobs()
    start_replay(endpoint=told, actor=actor, since=ago(hours=1))
    run_jobs()
    for job in (count, older):
        job.refresh_from_db()
        assert cancel_replay(job=job, actor=actor) == 0
    assert Delivery.objects.count() == 5
    Lane.objects.update(held_at=None)


def test_an_event_that_is_no_longer_kept_is_refused(told, actor):
    ended = Attempt.objects.filter(outcome="failed").first()
    Event.objects.filter(pk=ended.event_id).delete()
    with pytest.raises(Refusal, match="no longer kept"):
        send_again(delivery_id=ended.delivery_id, endpoint=told, actor=actor)


def test_a_replay_does_not_hold_up_fresh_events_of_its_conversations(told, receiver, actor, lead_at, eastgate):
    Lane.objects.update(held_at=timezone.now())
    start_replay(endpoint=told, actor=actor, since=ago(hours=1), only_undelivered=False)
    run_jobs()
    Delivery.objects.update(next_attempt_at=F("next_attempt_at") + timedelta(hours=1))
    Lane.objects.update(held_at=None)
    lead_at(eastgate, "lead1@example.net", message="Fresh")
    receiver.wait(1)
    assert receiver.bodies()[0]["data"]["message"]["content"] == "Fresh"


def test_one_delivery_is_sent_again_with_the_same_webhook_id(told, receiver, actor, dana_client):
    ended = Attempt.objects.filter(outcome="failed").first()
    assert "Send again" in dana_client.get(f"/deliveries/{_dlv(ended.delivery_id)}/").content.decode()
    again = send_again(delivery_id=ended.delivery_id, endpoint=told, actor=actor)
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
    assert "The end must be after the start." in wrong.content.decode()


def test_only_one_replay_of_a_webhook_at_a_time(told, actor, dana_client, eastgate):
    start_replay(endpoint=told, actor=actor, since=ago(hours=1))
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
    from core.ids import encode

    return encode("dlv", pk)
