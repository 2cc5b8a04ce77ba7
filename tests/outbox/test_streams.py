"""The parts of the outbox that run by themselves: the schedule, what is told, the streams, the recorder."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from unittest.mock import AsyncMock

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from conversations.webhook_bodies import render_bodies
from core.secrets import Secret, make_signing_secret
from integrations import services as cards
from messaging import stream as dispatching
from messaging.models import Dispatch
from messaging.stream import Dispatches
from outbox.claims import Turn
from outbox.database import connect, hang_up
from outbox.models import SlotKind
from outbox.streams import StreamThread
from tests.support.attempts import claimed, send
from tests.support.waiting import wait_for
from webhooks.delivery import recorder as recording
from webhooks.delivery import stream as delivering
from webhooks.delivery.attempts import OutgoingRequest
from webhooks.delivery.claims import claim_deliveries
from webhooks.delivery.destinations import Destination
from webhooks.delivery.recorder import Recorder
from webhooks.delivery.results import Outcome, Result, record
from webhooks.delivery.schedule import GAPS, next_try
from webhooks.delivery.session import make_session
from webhooks.delivery.stream import Deliveries
from webhooks.models import Attempt, Delivery

URL = "http://127.0.0.1:9/hook"
outbox = pytest.mark.django_db(transaction=True)


# --- the schedule ---


def test_the_gaps_are_those_of_the_contract_in_their_order():
    seconds = [gap.total_seconds() for gap in GAPS]
    assert seconds == [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]


def test_no_two_of_those_that_failed_together_are_tried_at_the_same_moment():
    assert len({next_try(5).after for _ in range(20)}) == 20


# --- what is told ---


@pytest.mark.django_db
def test_only_the_first_telling_of_a_lead_held_back_announces_it(webhook_at, plumbing, api, token, actor):
    webhook_at(plumbing, URL)
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    known = {"identifier_type": "unique_id", "unique_id": "A1"}
    for email in ("", "ava@example.net", ""):
        api.create_lead(token, **known, email=email)
    assert list(Delivery.objects.order_by("id").values_list("is_announcement", flat=True)) == [True, False]


def test_a_delivery_to_a_card_without_a_url_is_cancelled():
    result = send("")
    assert (result.outcome, result.error, result.retry_after) == ("cancelled", "", None)
    assert result.next_because == "The webhook was disconnected"


# --- deliveries ---


def deliver(url: str, seconds_ago: float) -> list[Result]:
    """Let the stream go on with a delivery that it claimed so long ago, and return its results."""
    secret = [str(Secret.of(make_signing_secret()).token)]
    delivery = claimed()
    endpoint = Destination(
        lane_id=delivery.lane_id, url=url, sends_secret_header=False, includes_source_name=False, signing=secret,
        header=[],
    )  # fmt: skip

    async def run():
        stream = Deliveries(1, render_bodies)
        async with make_session(connections=1, seconds=5) as stream.session:
            await stream._deliver(OutgoingRequest(delivery, endpoint, b"{}"), time.monotonic() - seconds_ago)
        return stream.recorder.results

    return asyncio.run(run())


# Of the 30 seconds of a lease 15 are for the attempt and 5 for its record.
def test_what_can_no_longer_end_within_its_lease_is_not_dialled(receiver):
    assert deliver(receiver.url, 10.1) == []
    assert receiver.requests == []


def test_what_can_still_end_within_its_lease_is_dialled(receiver):
    [result] = deliver(receiver.url, 8)
    assert (result.outcome, len(receiver.requests)) == ("delivered", 1)


@outbox
def test_what_cannot_be_rendered_is_given_back_and_counts_no_attempt(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)

    async def broken(connection, rows, endpoints):
        raise RuntimeError(f"{len(rows)} cannot be rendered")

    async def run():
        connection = await connect()
        try:
            await Deliveries(4, broken).start_some(connection)
        finally:
            await hang_up(connection)

    with pytest.raises(RuntimeError, match="1 cannot be rendered"):
        asyncio.run(run())
    left = Delivery.objects.get()
    assert (left.claim, left.attempts) == (None, 0)


# --- messages ---


@outbox
def test_a_message_that_takes_long_to_send_stays_ours(api, key_of, eastgate, lead_at, monkeypatch):
    monkeypatch.setattr(dispatching, "RENEWED_EVERY", timedelta(milliseconds=10))
    api.reply(key_of(eastgate), lead_at(eastgate))
    may_end = threading.Event()
    thread = StreamThread(lambda: Dispatches(1, lambda claimed: may_end.wait(10)))
    thread.start()
    try:
        taken = wait_for(lambda: Dispatch.objects.exclude(claim=None).first())
        Dispatch.objects.update(next_attempt_at=timezone.now() + timedelta(seconds=5))  # nearly over
        kept = wait_for(lambda: Dispatch.objects.filter(next_attempt_at__gt=timezone.now() + timedelta(seconds=20)))
        assert kept.get().claim == taken.claim
    finally:
        may_end.set()
        thread.stop()


@outbox
def test_a_mail_server_that_stalls_gives_its_slot_to_others_and_gets_no_second_one(
    api, key_of, eastgate, westgate, lead_at, monkeypatch
):
    monkeypatch.setattr(dispatching, "SLOW_SECONDS", 0.1)
    key = key_of(eastgate)
    stalled = lead_at(eastgate)
    api.reply(key, stalled)
    may_end, sent = threading.Event(), []

    def send(claimed):
        sent.append(claimed.source_id)
        if claimed.source_id == eastgate.pk:
            may_end.wait(10)

    thread = StreamThread(lambda: Dispatches(1, send))
    thread.start()
    try:
        wait_for(lambda: sent == [eastgate.pk])
        api.reply(key, stalled)
        api.reply(key_of(westgate), lead_at(westgate))
        wait_for(lambda: len(sent) == 2)
        assert sent == [eastgate.pk, westgate.pk]
        time.sleep(0.5)
        assert len(sent) == 2
    finally:
        may_end.set()
        thread.stop()


# --- the recorder ---


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


@outbox
def test_a_result_that_the_database_refuses_does_not_take_its_batch_with_it(two_results):
    bad, good = two_results
    bad.url = "x" * 2_001
    assert write([bad, good]) == ([], 1)
    assert Attempt.objects.get().delivery_id == good.delivery.id
    assert Delivery.objects.get().pk == bad.delivery.id  # it comes back when its lease ends


@outbox
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


@outbox
def test_a_result_that_has_to_wait_is_kept_when_another_one_is_refused(two_results):
    """Written one by one: the row of the good one is locked at that moment, so it is written the next time."""
    bad, good = two_results
    bad.url = "x" * 2_001
    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=good.delivery.id)
        assert write([bad, good]) == ([good], 1)
    assert write([good]) == ([], 1)
    assert Attempt.objects.get().delivery_id == good.delivery.id


@outbox
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


@outbox
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


def test_an_endpoint_is_slow_until_it_is_quick_again(monkeypatch):
    monkeypatch.setattr(delivering, "attempt", answered := AsyncMock())
    outgoing = OutgoingRequest(claimed(), None, b"{}")

    async def run():
        stream = Deliveries(4, render_bodies)
        stream.session = AsyncMock()
        seen = []
        for took in (2_500, 100):
            answered.return_value = Result(outgoing.delivery, Outcome.DELIVERED, timezone.now(), duration_ms=took)
            await stream._deliver(outgoing, time.monotonic())
            seen.append(outgoing.delivery.lane_id in stream.slow)
        return seen

    assert asyncio.run(run()) == [True, False]
