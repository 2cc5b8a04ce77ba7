"""What the result of an attempt changes: the delivery, its lane, the endpoint's health."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from integrations import services as cards
from outbox.models import Lane, LaneTimer
from tests.support.steps import URL, outbox, slots
from tests.support.waiting import wait_for
from webhooks.delivery.attempts import OutgoingRequest, attempt
from webhooks.delivery.claims import claim_deliveries, claim_tests
from webhooks.delivery.destinations import load_destinations
from webhooks.delivery.results import Outcome, Result, record
from webhooks.delivery.session import make_session
from webhooks.models import Attempt, Delivery

pytestmark = pytest.mark.django_db(transaction=True)


def result(taken, outcome=Outcome.FAILED, **more):
    return Result(taken, outcome, timezone.now(), **more)


@pytest.mark.parametrize("wait", [None, timedelta(seconds=5)])
def test_a_result_whose_claim_is_gone_changes_nothing_and_is_logged_as_late(taken, wait):
    Delivery.objects.update(claim=uuid4())  # the lease ended and somebody else has it
    before = Delivery.objects.values().get()
    outcome = Outcome.RETRYING if wait else Outcome.DELIVERED
    outbox(lambda c: record(c, [result(taken, outcome, retry_after=wait)]))
    assert Delivery.objects.values().get() == before
    assert Attempt.objects.get().outcome == "late"


def test_an_endpoint_that_fails_for_five_days_is_stopped(taken):
    Lane.objects.filter(pk=taken.lane_id).update(failing_since=timezone.now() - timedelta(days=4, hours=23))
    outbox(lambda c: record(c, [result(taken, Outcome.RETRYING, error="500", retry_after=timedelta(0))]))
    assert Lane.objects.get(pk=taken.lane_id).stopped_at is None
    Lane.objects.filter(pk=taken.lane_id).update(failing_since=timezone.now() - timedelta(days=5, hours=1))
    LaneTimer.objects.update(swept_to=None, check_at=timezone.now())
    [again] = outbox(lambda c: claim_deliveries(c, slots(5)))
    outbox(lambda c: record(c, [result(again, error="500")]))
    lane = Lane.objects.get(pk=taken.lane_id)
    assert (lane.stopped_at is not None, lane.stopped_because) == (True, "Nothing but failures for 5 days")


def test_one_success_ends_nothing_but_failures(taken):
    Lane.objects.filter(pk=taken.lane_id).update(failing_since=timezone.now(), last_error="500")
    outbox(lambda c: record(c, [result(taken, Outcome.DELIVERED)]))
    lane = Lane.objects.get(pk=taken.lane_id)
    assert (lane.failing_since, lane.last_error) == (None, "")


def asks_to_wait(status):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Retry-After", "7200")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.mark.parametrize(("status", "attempts"), [(429, 0), (503, 0), (500, 1)])
def test_who_asks_to_wait_is_left_alone_and_it_uses_up_no_attempt(
    worker, receiver, webhook_at, eastgate, lead_at, status, attempts
):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [asks_to_wait(status)]
    lead_at(eastgate)
    wait_for(Attempt.objects.first)
    delivery = Delivery.objects.get()
    assert delivery.attempts == attempts
    assert delivery.next_attempt_at
    assert (delivery.next_attempt_at > timezone.now() + timedelta(hours=1)) == (attempts == 0)


def test_a_redirect_is_not_followed(worker, receiver, webhook_at, eastgate, lead_at):
    def elsewhere(handler):
        handler.send_response(307)
        handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    webhook_at(eastgate, receiver.url)
    receiver.answers = [elsewhere]
    lead_at(eastgate)
    stored = wait_for(Attempt.objects.first)
    assert (stored.status_code, stored.error) == (307, "307: redirects are not followed")
    assert [request["path"] for request in receiver.requests] == ["/hook"]


def test_a_test_says_nothing_about_health_and_is_not_tried_again(worker, receiver, webhook_at, eastgate, actor):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    cards.check(card=eastgate.restwebhook, actor=actor)
    stored = wait_for(Attempt.objects.first)
    lane = Lane.objects.get(pk=eastgate.restwebhook.lane_id)
    assert (lane.failing_since, lane.last_ok_at) == (None, None)
    assert stored.outcome == "failed"
    assert not Delivery.objects.exists()


def test_the_result_of_a_test_is_dropped_when_the_card_changed_meanwhile(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    card = eastgate.restwebhook
    cards.check(card=card, actor=actor)
    [test] = outbox(lambda c: claim_tests(c, 1))
    cards.configure(card=card, actor=actor, url="http://127.0.0.1:9/other")
    outbox(lambda c: record(c, [result(test, Outcome.DELIVERED, status_code=200)]))
    card.refresh_from_db()
    assert (card.last_check, card.is_verified) == (None, False)


def carry(taken, **more):
    [endpoint] = outbox(lambda c: load_destinations(c, {taken.lane_id})).values()

    async def go():
        async with make_session(connections=1, seconds=2) as session:
            return await attempt(session, OutgoingRequest(replace(taken, **more), endpoint, b"{}"))

    return asyncio.run(go())


def test_it_gives_up_after_ten_attempts_and_after_five_days(taken):
    assert carry(taken, attempts=10).next_because == "All 10 attempts failed"
    assert carry(taken, attempts=11).error == "The worker crashed during every attempt"
    old = {"created_at": taken.claimed_at - timedelta(days=5, seconds=1)}
    assert carry(taken, **old).error == "Five days have passed since the event"
    late = {"created_at": taken.claimed_at - timedelta(days=4, hours=12), "attempts": 9}
    assert carry(taken, **late).next_because == "The next attempt would be more than five days after the event"
    assert carry(taken).outcome == Outcome.RETRYING
