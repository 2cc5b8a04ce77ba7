"""Claiming, recording and judging, step by step on a connection of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from integrations import services as cards
from messaging.models import Dispatch
from messaging.stream import extend_leases
from outbox.claims import SLOW_IN_FLIGHT, Turn, release
from outbox.database import connect, hang_up
from outbox.models import Lane, LaneTimer, SlotKind
from tests.support.steps import URL, outbox, slots
from tests.support.waiting import wait_for
from webhooks.delivery.attempts import OutgoingRequest, attempt
from webhooks.delivery.claims import claim_deliveries, claim_tests
from webhooks.delivery.destinations import load_destinations
from webhooks.delivery.results import Outcome, Result, record
from webhooks.models import Attempt, Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def taken(webhook_at, eastgate, lead_at):
    """A claimed delivery of a card that is on."""
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    [one] = outbox(lambda c: claim_deliveries(c, slots(5)))
    return one


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
    kept = wait_for(Attempt.objects.first)
    assert (kept.status_code, kept.error) == (307, "307: redirects are not followed")
    assert [request["path"] for request in receiver.requests] == ["/hook"]


def test_a_test_says_nothing_about_health_and_is_not_tried_again(worker, receiver, webhook_at, eastgate, actor):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    cards.check(card=eastgate.restwebhook, actor=actor)
    kept = wait_for(Attempt.objects.first)
    lane = Lane.objects.get(pk=eastgate.restwebhook.lane_id)
    assert (lane.failing_since, lane.last_ok_at) == (None, None)
    assert kept.outcome == "failed"
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


def test_tests_and_deliveries_are_claimed_apart(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    cards.check(card=eastgate.restwebhook, actor=actor)
    assert outbox(lambda c: claim_deliveries(c, slots(5))) == []
    assert len(outbox(lambda c: claim_tests(c, 5))) == 1


def test_a_second_test_waits_for_the_first(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    for _ in range(2):
        cards.check(card=eastgate.restwebhook, actor=actor)
    assert Delivery.objects.filter(is_test=True).count() == 1


@pytest.mark.parametrize("field", ["stopped_at", "held_at"])
def test_nothing_of_a_stopped_or_held_lane_is_claimed(webhook_at, eastgate, lead_at, field):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    Lane.objects.update(**{field: timezone.now()})
    assert outbox(lambda c: claim_deliveries(c, slots(5))) == []


@pytest.mark.parametrize(("failing", "first", "second"), [(False, 3, 0), (True, 2, 0)])
def test_a_lane_has_only_so_many_in_flight(webhook_at, eastgate, lead_at, failing, first, second):
    webhook_at(eastgate, URL)
    for number in range(5):
        lead_at(eastgate, f"lead{number}@example.net")
    Lane.objects.update(max_in_flight=3, failing_since=timezone.now() if failing else None)
    assert len(outbox(lambda c: claim_deliveries(c, slots(20)))) == first
    LaneTimer.objects.update(swept_to=None, check_at=timezone.now())
    assert len(outbox(lambda c: claim_deliveries(c, slots(20)))) == second


def test_a_lane_that_answers_slowly_has_few_in_flight(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    for number in range(SLOW_IN_FLIGHT + 3):
        lead_at(eastgate, f"lead{number}@example.net")
    lanes = [eastgate.restwebhook.lane_id]
    assert len(outbox(lambda c: claim_deliveries(c, slots(20), slow=lanes))) == SLOW_IN_FLIGHT
    LaneTimer.objects.update(swept_to=None, check_at=timezone.now())
    assert len(outbox(lambda c: claim_deliveries(c, slots(20), slow=lanes))) == 0
    LaneTimer.objects.update(swept_to=None, check_at=timezone.now())
    assert len(outbox(lambda c: claim_deliveries(c, slots(20)))) == 3  # it is quick again


@pytest.mark.parametrize("slot_kind", [SlotKind.RETRY, SlotKind.REPLAY])
def test_who_has_their_share_of_retries_gets_none_and_first_attempts_still(webhook_at, eastgate, lead_at, slot_kind):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    lead_at(eastgate, "bob@example.net")
    again = Delivery.objects.order_by("id")[0]
    Delivery.objects.filter(pk=again.pk).update(slot_kind=slot_kind)
    turns = slots(5) | {slot_kind: Turn(5, frozenset([eastgate.organization_id]))}
    [fresh] = outbox(lambda c: claim_deliveries(c, turns))
    assert fresh.id != again.pk
    LaneTimer.objects.update(check_at=timezone.now())
    [later] = outbox(lambda c: claim_deliveries(c, slots(5)))
    assert later.id == again.pk


def test_what_this_process_has_in_hand_is_not_claimed_again(taken):
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))  # the lease ended
    LaneTimer.objects.update(swept_to=None, check_at=timezone.now())
    assert outbox(lambda c: claim_deliveries(c, slots(5), [taken.id])) == []


def test_what_is_given_back_counts_no_attempt(taken):
    outbox(lambda c: release(c, [taken], "webhooks_delivery"))
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.claim) == (0, None)


def test_two_workers_take_different_rows(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    for number in range(2):
        lead_at(eastgate, f"lead{number}@example.net")

    async def both(one):
        other = await connect()
        try:
            async with one.transaction():
                first = await claim_deliveries(one, slots(1))
                await other.execute("UPDATE outbox_lanetimer SET check_at = now() WHERE false")
                await other.execute("SET lock_timeout = '1s'")
                second = await claim_deliveries(other, slots(1))
            return first, second
        finally:
            await hang_up(other)

    first, second = outbox(both)
    assert len(first) == 1
    assert second == []  # the lane's row is locked and skipped, not waited for


def test_a_stopped_endpoint_hears_of_nothing_new(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    Lane.objects.update(stopped_at=timezone.now())
    lead_at(eastgate)
    assert not Delivery.objects.exists()


def test_a_stopped_endpoint_is_started_by_turning_the_card_on_again(webhook_at, eastgate, actor, lead_at):
    webhook_at(eastgate, URL)
    Lane.objects.update(stopped_at=timezone.now(), stopped_because="410")
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    lane = Lane.objects.get(pk=eastgate.restwebhook.lane_id)
    assert (lane.stopped_at, lane.stopped_because) == (None, "")


def test_of_two_conversations_neither_waits_for_the_other(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    lead_at(eastgate, "bob@example.net")
    assert Delivery.objects.filter(next_attempt_at=None).count() == 0


def carry(taken, **more):
    [endpoint] = outbox(lambda c: load_destinations(c, {taken.lane_id})).values()
    from dataclasses import replace

    from webhooks.delivery.session import make_session

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


def in_use(card):
    [endpoint] = outbox(lambda c: load_destinations(c, {card.lane_id})).values()
    return endpoint


def test_in_overlap_the_header_carries_the_old_key_until_it_is_switched_and_both_sign(webhook_at, eastgate, actor):
    old = webhook_at(eastgate, URL)
    card = eastgate.restwebhook
    new = cards.regenerate(card=card, actor=actor, overlap=timedelta(hours=1)).secrets
    assert in_use(card).header_secret == old["Secret key"]
    assert set(in_use(card).signing_secrets) == {old["Signing secret"], new["Signing secret"]}
    cards.switch_header(card=card, actor=actor)
    assert in_use(card).header_secret == new["Secret key"]
    assert len(in_use(card).signing_secrets) == 2
    card.secrets.exclude(ends_at=None).update(ends_at=timezone.now() - timedelta(seconds=1), header_ended_at=None)
    assert in_use(card).header_secret == new["Secret key"]
    assert in_use(card).signing_secrets == [new["Signing secret"]]


def test_a_third_pair_of_keys_ends_the_first_and_end_overlap_the_second(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    card, hour = eastgate.restwebhook, timedelta(hours=1)
    second, third = (cards.regenerate(card=card, actor=actor, overlap=hour).secrets for _ in range(2))
    assert set(in_use(card).signing_secrets) == {second["Signing secret"], third["Signing secret"]}
    cards.end_overlap(card=card, actor=actor)
    assert in_use(card).signing_secrets == [third["Signing secret"]]
    cards.disconnect(card=card, actor=actor)
    card.refresh_from_db()
    assert card.url == ""
    assert not card.secrets.exists()


def test_the_secret_header_can_be_left_out(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    cards.configure(card=eastgate.restwebhook, actor=actor, sends_secret_header=False)
    assert in_use(eastgate.restwebhook).header_secret is None


def test_leases_of_what_is_being_sent_are_extended(eastgate, lead_at, api, key_of):
    from messaging.stream import claim_dispatches

    api.reply(key_of(eastgate), lead_at(eastgate))
    [one] = outbox(lambda c: claim_dispatches(c, Turn(5)))
    Dispatch.objects.update(next_attempt_at=timezone.now() + timedelta(seconds=1))
    outbox(lambda c: extend_leases(c, [one.claim]))
    due = Dispatch.objects.get().next_attempt_at
    assert due
    assert due > timezone.now() + timedelta(seconds=25)


def test_a_short_look_sees_what_is_recent_and_a_whole_one_what_committed_late(webhook_at, eastgate, lead_at):
    """A row that became visible long after its time: its transaction took a while."""
    webhook_at(eastgate, URL)
    lead_at(eastgate, "late@example.net")
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=1))
    lead_at(eastgate, "recent@example.net")
    LaneTimer.objects.update(swept_to=timezone.now(), check_at=timezone.now())
    [recent] = outbox(lambda c: claim_deliveries(c, slots(5), full=False))
    assert recent.event_id == Event.objects.latest("id").pk
    LaneTimer.objects.update(check_at=timezone.now())
    [late] = outbox(lambda c: claim_deliveries(c, slots(5)))
    assert late.event_id != recent.event_id


def test_a_backlog_is_seen_by_short_looks_until_it_is_gone(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    for number in range(6):
        lead_at(eastgate, f"{number}@example.net")
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=1))
    taken = []
    for look in range(4):
        LaneTimer.objects.update(check_at=timezone.now())
        taken += outbox(lambda c, full=look == 0: claim_deliveries(c, slots(2), full=full))
    assert len({one.id for one in taken}) == 6
    LaneTimer.objects.update(check_at=timezone.now())
    assert outbox(lambda c: claim_deliveries(c, slots(5), full=False)) == []
    assert LaneTimer.objects.get(lane__rest_webhook__source=eastgate).swept_to


def test_each_lane_has_a_clock_whose_table_has_no_unique_index(webhook_at, eastgate):
    """One would be checked against every version of the row that a held snapshot keeps: claims would slow down."""
    webhook_at(eastgate, URL)
    assert LaneTimer.objects.count() == Lane.objects.count() > 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE indisunique) FROM pg_index"
            " WHERE indrelid = 'outbox_lanetimer'::regclass"
        )
        assert cursor.fetchone() == (2, 0)
