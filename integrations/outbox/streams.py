"""The loops that carry the outbox out: they refill free slots as these empty, and stop when told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import psycopg

from integrations.models import Pace
from integrations.outbox.claims import (
    LEASE,
    MUCH,
    WHOLE_LOOK_SECONDS,
    Claimed,
    ClaimedDelivery,
    Turn,
    claim_deliveries,
    claim_dispatches,
    claim_tests,
    extend_leases,
    release,
)
from integrations.outbox.database import connect, hang_up
from integrations.outbox.deliver import Parcel, attempt
from integrations.outbox.endpoints import Endpoint, load_endpoints
from integrations.outbox.recorder import STOP_SECONDS, Recorder
from integrations.outbox.schedule import DEADLINE_SECONDS, LEASE_MARGIN
from integrations.outbox.session import make_session
from integrations.outbox.shares import next_turn
from integrations.outbox.threads import DaemonThreads

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
REFILL_SECONDS = 0.008
TEST_SLOTS = 4
RETRY_PART, REPLAY_PART = 4, 8  # one slot for so many of first attempts
SLOW_CALL_SECONDS = 2.0  # of the last call of an endpoint: then it gets few slots
SLOW_SECONDS = 20  # of one message: then its slot is given to others
SLOW_TIMES = 4  # messages in hand for each slot, at most, the slow ones included
LATEST_DIAL_SECONDS = (LEASE - LEASE_MARGIN).total_seconds() - DEADLINE_SECONDS

Bodies = dict[UUID, tuple[bytes, bool]]  # what to send, and whether it was rendered just now
Render = Callable[[psycopg.AsyncConnection[Any], list[ClaimedDelivery], dict[UUID, Endpoint]], Awaitable[Bodies]]


class Stream(ABC):
    """Claim what is due while there are free slots; sleep until woken or a second has passed."""

    name = "stream"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.pause = POLL_SECONDS
        self.active: dict[asyncio.Task[None], Claimed] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.woken = asyncio.Event()
        self.stopping = asyncio.Event()
        self.connection: psycopg.AsyncConnection[Any] | None = None

    def wake(self) -> None:
        """Look at once. May be called from any thread."""
        if self.loop and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.woken.set)

    def stop(self) -> None:
        """Take no new work, finish what is in flight, return from `run`. May be called from any thread."""
        if self.loop and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.stopping.set)
            self.wake()

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        async with self.equipment():
            while not self.stopping.is_set():
                started = await self._fill()
                await self._rest(refill=started > 0)
            if self.active:
                await asyncio.wait(self.active, timeout=STOP_SECONDS)
        await hang_up(self.connection)

    def equipment(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    @abstractmethod
    async def start_some(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Claim what free slots allow and start it; return how many rows."""

    def start(self, claimed: Claimed, work: Any) -> None:
        task = asyncio.create_task(work)
        self.active[task] = claimed
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.active.pop(task, None)
        if not task.cancelled() and task.exception():
            logger.error("%s: a slot failed", self.name, exc_info=task.exception())

    async def _fill(self) -> int:
        """Start what can be started. Never raises: whatever is wrong now may be right in a second."""
        try:
            if self.connection is None or self.connection.closed:
                self.connection = await connect()
            return await self.start_some(self.connection)
        except (psycopg.Error, OSError) as error:
            logger.warning("%s: the database is not available: %s", self.name, error)
        except Exception:
            logger.exception("%s: nothing was started", self.name)
        await hang_up(self.connection)
        await asyncio.sleep(POLL_SECONDS)
        return 0

    async def _rest(self, *, refill: bool) -> None:
        """Wait for a reason to look again: soon after there was work, then ever longer, at most a second."""
        if refill:
            self.pause = REFILL_SECONDS
            await asyncio.sleep(REFILL_SECONDS)
        else:
            self.pause = min(self.pause * 1.5, POLL_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), self.pause)
        self.woken.clear()


class Deliveries(Stream):
    """Webhooks: one client session for the life of the process, results written in batches."""

    name = "deliver"

    def __init__(self, slots: int, render: Render) -> None:
        super().__init__(slots)
        # Retries and replays have slots beside those of first attempts: neither do they delay these, nor starve.
        self.slots_of = {
            Pace.FRESH: slots,
            Pace.RETRY: max(1, slots // RETRY_PART),
            Pace.REPLAY: max(1, slots // REPLAY_PART),
        }
        self.render = render
        self.recorder = Recorder(after=self.woken.set)
        self.session: aiohttp.ClientSession
        self.looked_whole_at = 0.0
        self.slow: set[UUID] = set()  # lanes whose last call took long

    @contextlib.asynccontextmanager
    async def equipment(self) -> Any:
        connections = sum(self.slots_of.values()) + TEST_SLOTS
        self.session = make_session(connections=connections, seconds=DEADLINE_SECONDS)
        recording = asyncio.create_task(self.recorder.run())
        try:
            yield
        finally:
            await self.recorder.close()
            recording.cancel()
            await self.session.close()

    async def start_some(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Tests have slots of their own: neither do they wait for deliveries, nor deliveries for them."""
        taken_at = time.monotonic()
        busy = Counter(_slot_of(claimed) for claimed in self.active.values())
        claimed: list[ClaimedDelivery] = []
        if busy[None] < TEST_SLOTS:
            claimed += await claim_tests(connection, TEST_SLOTS - busy[None])
        turns = {pace: self._turn(pace) for pace, slots in self.slots_of.items() if slots > busy[pace]}
        if turns:
            in_hand = [one.id for one in self.active.values()]
            whole = taken_at - self.looked_whole_at >= WHOLE_LOOK_SECONDS
            found = await claim_deliveries(connection, turns, in_hand, slow=self.slow, whole=whole)
            if whole and len(found) < MUCH:
                self.looked_whole_at = taken_at
            claimed += found
        try:
            await self._start_all(connection, claimed, taken_at)
        except BaseException:
            begun = {one.id for one in self.active.values()}
            left = [one for one in claimed if one.id not in begun]
            with contextlib.suppress(psycopg.Error, OSError):
                await release(connection, left, "integrations_delivery")
            raise
        return len(claimed)

    def _turn(self, pace: Pace) -> Turn:
        busy = [claimed for claimed in self.active.values() if _slot_of(claimed) == pace]
        return next_turn(busy, self.slots_of[pace], self.slots_of[pace] - len(busy))

    async def _start_all(
        self, connection: psycopg.AsyncConnection[Any], claimed: list[ClaimedDelivery], taken_at: float
    ) -> None:
        if not claimed:
            return
        endpoints = await load_endpoints(connection, {delivery.lane_id for delivery in claimed})
        bodies = await self.render(connection, claimed, endpoints)
        for delivery in claimed:
            body, is_fresh = bodies.get(delivery.id, (None, False))
            parcel = Parcel(delivery, endpoints.get(delivery.lane_id), body, is_fresh)
            self.start(delivery, self._deliver(parcel, taken_at))

    async def _deliver(self, parcel: Parcel, taken_at: float) -> None:
        # The lease is the database's; what is left of it is counted by this machine's steady clock.
        if time.monotonic() - taken_at > LATEST_DIAL_SECONDS:
            return  # stopped or starved meanwhile: the row comes back by itself when the lease ends
        result = await attempt(self.session, parcel)
        note = self.slow.add if result.duration_ms > SLOW_CALL_SECONDS * 1000 else self.slow.discard
        note(parcel.delivery.lane_id)
        self.recorder.add(result)


def _slot_of(claimed: Claimed) -> Pace | None:
    """Whose slot a delivery takes; None for a test's."""
    is_test = isinstance(claimed, ClaimedDelivery) and claimed.is_test
    return None if is_test else Pace(claimed.pace)


class Dispatches(Stream):
    """Outbound messages. What sends them is synchronous (SMTP), so each runs in a thread beside this loop.

    A mail server may take minutes for an answer (RFC 5321, 4.5.3.2). What takes that long gives its slot back, and its
    lane gets no other one meanwhile.
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
        resting = {one.lane_id for one in slow}
        in_hand = [one.id for one in self.active.values()]
        turn = next_turn((one for one in self.active.values() if one not in slow), self.slots, min(free, self.slots))
        claimed = await claim_dispatches(connection, turn, in_hand, resting)
        for dispatch in claimed:
            self.started[dispatch.id] = time.monotonic()
            self.start(dispatch, self._send(dispatch))
        return len(claimed)

    def _slow(self) -> list[Claimed]:
        """What takes so long that others may have its slot."""
        before = time.monotonic() - SLOW_SECONDS
        return [one for one in self.active.values() if self.started.get(one.id, before) < before]

    async def _send(self, dispatch: Claimed) -> None:
        await self.threads.run(self.send, dispatch)
        self.started.pop(dispatch.id, None)
        self.woken.set()

    async def _keep_leases(self) -> None:
        """While a message is being sent its row stays ours: nobody may send the same mail beside us."""
        connection: psycopg.AsyncConnection[Any] | None = None
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            if not self.active:
                continue
            try:
                if connection is None or connection.closed:
                    connection = await connect()
                await extend_leases(connection, {one.claim for one in self.active.values()})
            except (psycopg.Error, OSError) as error:
                logger.warning("send: leases were not extended: %s", error)
                await hang_up(connection)


class StreamThread(threading.Thread):
    """One stream with an event loop of its own, beside the Celery worker's main thread."""

    def __init__(self, make: Callable[[], Stream]) -> None:
        super().__init__(name="stream", daemon=True)
        self.make = make
        self.stream: Stream | None = None
        self.is_stopping = False

    def run(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException:
            logger.exception("a stream ended by itself")
        if not self.is_stopping:
            os.kill(os.getpid(), signal.SIGTERM)  # a worker without its stream would look healthy and do nothing

    async def _run(self) -> None:
        self.stream = self.make()
        if not self.is_stopping:
            await self.stream.run()

    def ask_to_stop(self) -> None:
        self.is_stopping = True
        if self.stream:
            self.stream.stop()

    def stop(self) -> None:
        self.ask_to_stop()
        self.join(STOP_SECONDS * 2)
