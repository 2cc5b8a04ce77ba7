"""Step-aside, the breaker, warnings, stops, and sending what was missed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import services as cards
from outbox.models import Lane
from tests.support.due import make_due, run_jobs
from tests.support.people import person
from tests.support.steps import lane_of
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, Event, RestWebhook

pytestmark = pytest.mark.django_db(transaction=True)


def hurry() -> None:
    """Make everything that waits for its time due."""
    Lane.objects.update(open_until=None)
    make_due()


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
    make_due()
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


def test_people_are_warned_after_1_and_3_days_once_each_and_told_of_the_stop(
    failing, mailoutbox, dana, northside, eastgate
):
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
    warnings = Event.objects.filter(type="webhook.failing").order_by("pk")
    assert [event.payload["failing_days"] for event in warnings] == [1, 3]
    assert warnings[0].payload["source_id"] == eastgate.public_id
    assert warnings[0].payload["failing_since"] < warnings[0].payload["stops_at"]
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
    assert "own webhook keeps running" in mailoutbox[0].body
    lead_at(plumbing)
    receiver.wait(2)


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
