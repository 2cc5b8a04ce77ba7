"""The stream of deliveries."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import psycopg

from outbox.claims import BACKLOG_ROWS, FULL_SCAN_SECONDS, LEASE, Claimed, Turn, release
from outbox.models import SlotKind
from outbox.schedule import DEADLINE_SECONDS, LEASE_MARGIN
from outbox.shares import next_turn
from outbox.streams import Stream
from webhooks.delivery.attempts import OutgoingRequest, attempt
from webhooks.delivery.claims import ClaimedDelivery, claim_deliveries, claim_tests
from webhooks.delivery.destinations import Destination, load_destinations
from webhooks.delivery.recorder import Recorder
from webhooks.delivery.session import make_session

TEST_SLOTS = 4
RETRY_PART, REPLAY_PART = 4, 8  # one slot for so many of first attempts
SLOW_CALL_SECONDS = 2.0  # of the last call of an endpoint: then it gets few slots

LATEST_DIAL_SECONDS = (LEASE - LEASE_MARGIN).total_seconds() - DEADLINE_SECONDS

Bodies = dict[UUID, tuple[bytes, bool]]  # what to send, and whether it was rendered just now
Render = Callable[[psycopg.AsyncConnection[Any], list[ClaimedDelivery], dict[UUID, Destination]], Awaitable[Bodies]]


class Deliveries(Stream):
    """Webhooks: one client session for the life of the process, results written in batches."""

    name = "deliver"

    def __init__(self, slots: int, render: Render) -> None:
        super().__init__(slots)
        # Retries and replays have slots beside those of first attempts: neither do they delay these, nor starve.
        self.slots_of = {
            SlotKind.FRESH: slots,
            SlotKind.RETRY: max(1, slots // RETRY_PART),
            SlotKind.REPLAY: max(1, slots // REPLAY_PART),
        }
        self.render = render
        self.recorder = Recorder(after=self.woken.set)
        self.session: aiohttp.ClientSession
        self.scanned_fully_at = 0.0
        self.slow: set[UUID] = set()  # lanes whose last call took long

    @contextlib.asynccontextmanager
    async def equipment(self) -> Any:
        connections = sum(self.slots_of.values()) + TEST_SLOTS
        self.session = make_session(connections=connections, seconds=DEADLINE_SECONDS)
        self.recorder.start()
        try:
            yield
        finally:
            await self.recorder.close()
            await self.session.close()

    async def start_some(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Tests have slots of their own: neither do they wait for deliveries, nor deliveries for them."""
        taken_at = time.monotonic()
        busy = Counter(_slot_of(claimed) for claimed in self.active.values())
        claimed: list[ClaimedDelivery] = []
        if busy[None] < TEST_SLOTS:
            claimed += await claim_tests(connection, TEST_SLOTS - busy[None])
        turns = {
            slot_kind: self._turn(slot_kind) for slot_kind, slots in self.slots_of.items() if slots > busy[slot_kind]
        }
        if turns:
            in_hand = [delivery.id for delivery in self.active.values()]
            full = taken_at - self.scanned_fully_at >= FULL_SCAN_SECONDS
            deliveries = await claim_deliveries(connection, turns, in_hand, slow=self.slow, full=full)
            if full and len(deliveries) < BACKLOG_ROWS:
                self.scanned_fully_at = taken_at
            claimed += deliveries
        try:
            await self._start_all(connection, claimed, taken_at)
        except BaseException:
            begun = {delivery.id for delivery in self.active.values()}
            left = [delivery for delivery in claimed if delivery.id not in begun]
            with contextlib.suppress(psycopg.Error, OSError):
                await release(connection, left, "webhooks_delivery")
            raise
        return len(claimed)

    def _turn(self, slot_kind: SlotKind) -> Turn:
        busy = [claimed for claimed in self.active.values() if _slot_of(claimed) == slot_kind]
        return next_turn(busy, self.slots_of[slot_kind], self.slots_of[slot_kind] - len(busy))

    async def _start_all(
        self, connection: psycopg.AsyncConnection[Any], claimed: list[ClaimedDelivery], taken_at: float
    ) -> None:
        if not claimed:
            return
        destinations = await load_destinations(connection, {delivery.lane_id for delivery in claimed})
        bodies = await self.render(connection, claimed, destinations)
        for delivery in claimed:
            body, is_fresh = bodies.get(delivery.id, (None, False))
            outgoing = OutgoingRequest(delivery, destinations.get(delivery.lane_id), body, is_fresh)
            self.start(delivery, self._deliver(outgoing, taken_at))

    async def _deliver(self, outgoing: OutgoingRequest, taken_at: float) -> None:
        # The lease is the database's; what is left of it is counted by this machine's steady clock.
        if time.monotonic() - taken_at > LATEST_DIAL_SECONDS:
            return  # this process was stopped or starved: the row comes back when its lease ends
        result = await attempt(self.session, outgoing)
        note = self.slow.add if result.duration_ms > SLOW_CALL_SECONDS * 1000 else self.slow.discard
        note(outgoing.delivery.lane_id)
        self.recorder.add(result)


def _slot_of(claimed: Claimed) -> SlotKind | None:
    """Whose slot a delivery takes; None for a test's."""
    is_test = isinstance(claimed, ClaimedDelivery) and claimed.is_test
    return None if is_test else SlotKind(claimed.slot_kind)
