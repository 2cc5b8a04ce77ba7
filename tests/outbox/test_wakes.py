"""Nothing is forgotten: wakes beside looks, rows behind a head that goes, and the sweeps under both."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from messaging.models import Dispatch
from outbox import sweeps
from outbox.models import Lane, LaneTimer
from tests.support.steps import URL, outbox, slots
from tests.support.waiting import wait_for
from webhooks.delivery.claims import claim_deliveries
from webhooks.delivery.results import Outcome, Result, record
from webhooks.models import Delivery
from webhooks.services.endpoints import cancel_deliveries

pytestmark = pytest.mark.django_db(transaction=True)


def aside(taken) -> Result:
    """A refusal after which the next of the conversation goes ahead."""
    return Result(taken, Outcome.RETRYING, timezone.now(), retry_after=timedelta(hours=2))


def in_a_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def is_awake(source) -> bool:
    return LaneTimer.objects.filter(lane__rest_webhook__source=source, check_at__lte=timezone.now()).exists()


def test_a_wake_that_comes_while_its_lane_is_looked_at_is_not_lost(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)

    def committed():
        try:
            return Delivery.objects.exists()
        finally:
            connection.close()

    async def look(one):
        async with one.transaction():
            assert await claim_deliveries(one, slots(5)) == []
            thread = in_a_thread(lambda: lead_at(eastgate))
            await asyncio.to_thread(wait_for, committed)  # and its wake waits for the look to end
        return thread

    outbox(look).join()
    assert is_awake(eastgate)
    assert len(outbox(lambda c: claim_deliveries(c, slots(5)))) == 1


def test_what_is_published_while_the_head_steps_aside_goes_on(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    [head] = outbox(lambda c: claim_deliveries(c, slots(5)))
    with transaction.atomic():
        lead_at(eastgate, message="Second")  # waits behind the head
        busy = []
        thread = in_a_thread(lambda: busy.extend(outbox(lambda c: record(c, [aside(head)]))))
        thread.join()
    assert busy == [head.id]  # left for the next batch: nobody waits, nothing is forgotten
    outbox(lambda c: record(c, [aside(head)]))
    second = Delivery.objects.exclude(pk=head.id).get()
    assert second.next_attempt_at is not None
    assert is_awake(eastgate)


def test_what_waited_behind_a_cancelled_one_goes_on(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    for words in ("First", "Second"):
        lead_at(eastgate, message=words)
    head, second = Delivery.objects.order_by("sequence")
    assert second.next_attempt_at is None
    with transaction.atomic():
        cancel_deliveries(Delivery.objects.filter(pk=head.pk), "It was erased")
    second.refresh_from_db()
    assert second.next_attempt_at is not None


def test_a_row_that_nobody_would_look_at_cannot_be_written(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    with pytest.raises(IntegrityError):
        Delivery.objects.update(next_attempt_at=None, order_key=None)


def asleep() -> None:
    """As after a wake that was never made: its process died."""
    LaneTimer.objects.update(check_at=timezone.now() + timedelta(seconds=30))
    for model in (Delivery, Dispatch):
        model._default_manager.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_a_lane_that_was_never_woken_is_found_by_its_fresh_row(webhook_at, eastgate, lead_at, api, key_of):
    webhook_at(eastgate, URL)
    api.reply(key_of(eastgate), lead_at(eastgate))
    asleep()
    assert sweeps.wake_unwoken() == 2  # of the webhook, and of the channel
    assert is_awake(eastgate)
    assert sweeps.wake_unwoken() == 0


@pytest.mark.parametrize("field", ["held_at", "stopped_at"])
def test_a_lane_that_is_off_is_not_woken(webhook_at, eastgate, lead_at, field):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    Lane.objects.update(**{field: timezone.now()})
    asleep()
    assert sweeps.wake_unwoken() == 0


def test_what_waits_behind_nobody_is_woken_and_counted(webhook_at, eastgate, lead_at, client):
    webhook_at(eastgate, URL)
    for words in ("First", "Second"):
        lead_at(eastgate, message=words)
    assert sweeps.wake_left_behind() == 0
    assert client.get("/readyz").json()["left_behind"] == 0
    Delivery.objects.filter(next_attempt_at__isnull=False).delete()  # as no code of ours does
    assert sweeps.wake_left_behind() == 1
    assert Delivery.objects.get().next_attempt_at is not None
    assert client.get("/readyz").json()["left_behind"] == 1
    assert sweeps.wake_left_behind() == 0
