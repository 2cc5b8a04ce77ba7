"""Which deliveries are claimed, in which order, and by whom."""

from __future__ import annotations

from datetime import timedelta

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
from webhooks.delivery.claims import claim_deliveries, claim_tests
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_of_two_conversations_neither_waits_for_the_other(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    lead_at(eastgate, "bob@example.net")
    assert Delivery.objects.filter(next_attempt_at=None).count() == 0


def test_leases_of_what_is_being_sent_are_extended(eastgate, lead_at, api, key_of):
    from messaging.stream import claim_dispatches

    api.reply(key_of(eastgate), lead_at(eastgate))
    [claimed_row] = outbox(lambda c: claim_dispatches(c, Turn(5)))
    Dispatch.objects.update(next_attempt_at=timezone.now() + timedelta(seconds=1))
    outbox(lambda c: extend_leases(c, [claimed_row.claim]))
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
    assert len({row.id for row in taken}) == 6
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
