"""The recorder writes what attempts came to, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from outbox.claims import Turn
from outbox.database import connect, hang_up
from outbox.models import SlotKind
from webhooks.delivery import recorder as recording
from webhooks.delivery.claims import claim_deliveries
from webhooks.delivery.recorder import Recorder
from webhooks.delivery.results import Outcome, Result, record
from webhooks.models import Attempt, Delivery

pytestmark = pytest.mark.django_db(transaction=True)
URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def two_results(webhook_at, eastgate, lead_at) -> list[Result]:
    """Of two claimed deliveries that were delivered."""
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    lead_at(eastgate, "bob@example.net")

    async def claim():
        connection = await connect()
        try:
            return await claim_deliveries(connection, dict.fromkeys(SlotKind, Turn(5)))
        finally:
            await hang_up(connection)

    return [Result(delivery, Outcome.DELIVERED, timezone.now()) for delivery in asyncio.run(claim())]


def write(results: list[Result], times: int = 1) -> tuple[list[Result], int]:
    """Let a recorder write; return what it still has, and how often it said that it wrote."""
    told = []

    async def run():
        recorder = Recorder(after=lambda: told.append(1))
        recorder.results += results
        for _ in range(times):
            await recorder._write_some()
        await hang_up(recorder.connection)
        return recorder.results

    return asyncio.run(run()), len(told)


def test_a_result_that_the_database_refuses_does_not_take_its_batch_with_it(two_results):
    bad, good = two_results
    bad.url = "x" * 2_001
    assert write([bad, good]) == ([], 1)
    assert Attempt.objects.get().delivery_id == good.delivery.id
    assert Delivery.objects.get().pk == bad.delivery.id  # it comes back when its lease ends


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError, ConnectionResetError])
def test_results_wait_for_a_database_that_is_away(two_results, monkeypatch, error):
    errors = [error("gone")]

    async def once_refused(connection, batch):
        if errors:
            raise errors.pop()
        return await record(connection, batch)

    monkeypatch.setattr(recording, "record", once_refused)
    monkeypatch.setattr(recording, "RETRY_SECONDS", 0)
    assert write(two_results) == (two_results, 0)
    errors.append(error("gone again"))
    assert write(two_results, times=2) == ([], 1)
    assert not Delivery.objects.exists()
    assert Attempt.objects.count() == 2


def test_a_result_that_has_to_wait_is_kept_when_another_one_is_refused(two_results):
    """Written one by one: the row of the good one is locked at that moment, so it is written the next time."""
    bad, good = two_results
    bad.url = "x" * 2_001
    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=good.delivery.id)
        assert write([bad, good]) == ([good], 1)
    assert write([good]) == ([], 1)
    assert Attempt.objects.get().delivery_id == good.delivery.id


def test_a_worker_that_is_stopped_in_a_transaction_keeps_nobody_from_writing_results(two_results, settings):
    """It held the lane's lock: the others' results waited until their leases had ended, and all was sent again."""
    settings.LEADWIRE_TIME_SCALE = 0.1

    async def run():
        stopped, recorder = await connect(), Recorder(after=lambda: None)
        recorder.results += two_results
        await stopped.execute("BEGIN")
        await stopped.execute("SELECT 1 FROM outbox_lane FOR UPDATE")
        await recorder._write_some()
        with pytest.raises(psycopg.Error):
            await stopped.execute("SELECT 1")
        assert stopped.closed
        await hang_up(recorder.connection)
        return recorder.results

    assert asyncio.run(run()) == []
    assert Attempt.objects.count() == 2


def test_results_wait_when_their_own_transaction_was_ended_for_idling(two_results, monkeypatch, settings):
    settings.LEADWIRE_TIME_SCALE = 0.02
    stops = [0.5]

    async def stopped_once(connection, batch):
        async with connection.transaction():
            await connection.execute("SELECT 1")
            if stops:
                await asyncio.sleep(stops.pop())
            return await record(connection, batch)

    monkeypatch.setattr(recording, "record", stopped_once)
    monkeypatch.setattr(recording, "RETRY_SECONDS", 0)
    assert write(two_results) == (two_results, 0)
    assert write(two_results) == ([], 1)
    assert Attempt.objects.count() == 2


def test_a_worker_that_ends_while_it_writes_writes_everything(two_results, monkeypatch):
    """Its last batch went out twice on one connection, one transaction within the other, and was lost with both."""
    first, second = two_results

    async def slowly(connection, batch):
        async with connection.transaction():
            await connection.execute("SELECT 1")
            await asyncio.sleep(0.3)
            return await record(connection, batch)

    monkeypatch.setattr(recording, "record", slowly)

    async def run():
        recorder = Recorder(after=lambda: None)
        recorder.start()
        recorder.add(first)
        await asyncio.sleep(0.2)  # it is writing
        recorder.add(second)
        await recorder.close()
        return recorder.results

    assert asyncio.run(run()) == []
    assert not Delivery.objects.exists()
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["delivered", "delivered"]
