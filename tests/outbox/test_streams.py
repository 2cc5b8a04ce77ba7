"""The parts of the outbox that run by themselves: the schedule, what is told, the streams, the recorder."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from django.utils import timezone

from conversations.webhook_bodies import render_bodies
from core.secrets import Secret, make_signing_secret
from integrations import services as cards
from messaging import stream as dispatching
from messaging.models import Dispatch
from messaging.stream import Dispatches
from outbox.database import connect, hang_up
from outbox.streams import StreamThread
from tests.support.attempts import claimed, send
from tests.support.waiting import wait_for
from webhooks.delivery import stream as delivering
from webhooks.delivery.attempts import OutgoingRequest
from webhooks.delivery.destinations import Destination
from webhooks.delivery.results import Outcome, Result
from webhooks.delivery.schedule import GAPS, next_try
from webhooks.delivery.session import make_session
from webhooks.delivery.stream import Deliveries
from webhooks.models import Delivery

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
        stored = wait_for(lambda: Dispatch.objects.filter(next_attempt_at__gt=timezone.now() + timedelta(seconds=20)))
        assert stored.get().claim == taken.claim
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
