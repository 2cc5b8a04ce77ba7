"""The stream of outbound messages."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from messaging.pacing import ALLOWANCE, take
from outbox.claims import LEASE, Claimed, Turn, claim
from outbox.database import connect, hang_up
from outbox.models import SlotKind
from outbox.shares import next_turn
from outbox.streams import Stream, logger
from outbox.threads import DaemonThreads


async def claim_dispatches(
    connection: AsyncConnection[Any],
    turn: Turn,
    held: Collection[UUID] = (),
    resting: Collection[UUID] = (),
    tell_opening: Callable[[float], None] = lambda seconds: None,
) -> list[Claimed]:
    """Claim as many outbound messages as a turn says, none that this process has in hand, none of resting lanes.

    No more than the pace of each connection allows. `tell_opening` is told in how many seconds one opens again.
    """

    async def keep_pace(cursor: Any, lanes: Collection[UUID], claimed: Collection[Claimed]) -> None:
        if (seconds := await take(cursor, lanes, claimed)) is not None:
            tell_opening(seconds)

    # Retries have no slots of their own here.
    turns = {SlotKind.FRESH: turn}
    table = "messaging_dispatch"
    return await claim(
        connection, turns, "channel", table, "", Claimed, held, resting, allowance=ALLOWANCE, after=keep_pace
    )


async def extend_leases(connection: AsyncConnection[Any], claims: Collection[UUID]) -> None:
    """Keep dispatches that are being sent: an SMTP dialogue may take longer than a lease."""
    await connection.execute(
        "UPDATE messaging_dispatch SET next_attempt_at = now() + %s WHERE claim = ANY(%s)", [LEASE, list(claims)]
    )


RENEWED_EVERY = LEASE / 4  # of what is being sent
SLOW_SECONDS = 20  # of one message: then its slot is given to others
SLOW_TIMES = 4  # messages in hand for each slot, at most, the slow ones included


class Dispatches(Stream):
    """Outbound messages. What sends them is synchronous (SMTP), so each runs in a thread beside this loop.

    A mail server may take minutes for an answer (RFC 5321, 4.5.3.2). What takes that long gives its slot back, and its
    lane gets no other slot until it is through.
    """

    name = "send"

    def __init__(self, slots: int, send: Callable[[Claimed], None]) -> None:
        super().__init__(slots)
        self.send = send
        self.threads = DaemonThreads("send")
        self.started: dict[UUID, float] = {}  # when each was, by the steady clock

    @contextlib.asynccontextmanager
    async def equipment(self) -> Any:
        keeping = asyncio.create_task(self._keep_leases())
        try:
            yield
        finally:
            keeping.cancel()

    async def start_some(self, connection: psycopg.AsyncConnection[Any]) -> int:
        slow = self._slow()
        free = min(self.slots - len(self.active) + len(slow), self.slots * SLOW_TIMES - len(self.active))
        if free <= 0:
            return 0
        resting = {dispatch.lane_id for dispatch in slow}
        in_hand = [dispatch.id for dispatch in self.active.values()]
        turn = next_turn(
            (dispatch for dispatch in self.active.values() if dispatch not in slow), self.slots, min(free, self.slots)
        )
        claimed = await claim_dispatches(connection, turn, in_hand, resting, self.look_in)
        for dispatch in claimed:
            self.started[dispatch.id] = time.monotonic()
            self.start(dispatch, self._send(dispatch))
        return len(claimed)

    def _slow(self) -> list[Claimed]:
        """What takes so long that others may have its slot."""
        before = time.monotonic() - SLOW_SECONDS
        return [dispatch for dispatch in self.active.values() if self.started.get(dispatch.id, before) < before]

    async def _send(self, dispatch: Claimed) -> None:
        await self.threads.run(self.send, dispatch)
        self.started.pop(dispatch.id, None)
        self.woken.set()

    async def _keep_leases(self) -> None:
        """While a message is being sent its row stays ours: nobody may send the same mail beside us."""
        connection: psycopg.AsyncConnection[Any] | None = None
        while True:
            await asyncio.sleep(RENEWED_EVERY.total_seconds())
            if not self.active:
                continue
            try:
                if connection is None or connection.closed:
                    connection = await connect()
                await extend_leases(connection, {dispatch.claim for dispatch in self.active.values()})
            except (psycopg.Error, OSError) as error:
                logger.warning("send: leases were not extended: %s", error)
                await hang_up(connection)
