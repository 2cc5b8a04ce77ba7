"""The loops that carry the outbox out: they refill free slots as these empty, and stop when told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import aiohttp
import psycopg
from django.db import connections

from integrations.dialling import make_session
from integrations.outbox.claims import (
    LEASE,
    Claimed,
    ClaimedDelivery,
    claim_deliveries,
    claim_dispatches,
    claim_tests,
)
from integrations.outbox.deliver import DEADLINE_SECONDS, LEASE_MARGIN, Parcel, attempt
from integrations.outbox.endpoints import Endpoint, load_endpoints
from integrations.outbox.results import Result, record

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
REFILL_SECONDS = 0.02
FLUSH_SECONDS = 0.02
FLUSH_ROWS = 50
STOP_SECONDS = DEADLINE_SECONDS + 3
TEST_SLOTS = 4
LATEST_DIAL_SECONDS = (LEASE - LEASE_MARGIN).total_seconds() - DEADLINE_SECONDS

Bodies = dict[UUID, bytes]
Render = Callable[[psycopg.AsyncConnection[Any], list[ClaimedDelivery], dict[UUID, Endpoint]], Awaitable[Bodies]]


async def connect() -> psycopg.AsyncConnection[Any]:
    """Open a connection of our own to Django's database, in autocommit."""
    parameters = connections["default"].get_connection_params()
    for ours in ("cursor_factory", "context", "pool", "prepare_threshold"):
        parameters.pop(ours, None)
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    connection.prepare_threshold = 1
    return connection


class Stream:
    """Claim what is due while there are free slots; sleep until woken or a second has passed."""

    name = "stream"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.active: set[asyncio.Task[None]] = set()
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
        if self.connection:
            await self.connection.close()

    def equipment(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    async def start_some(self, connection: psycopg.AsyncConnection[Any], free: int) -> int:
        """Claim up to `free` rows and start them; return how many."""
        raise NotImplementedError

    def start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.active.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.active.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("%s: a slot failed", self.name, exc_info=task.exception())

    async def _fill(self) -> int:
        free = self.slots - len(self.active)
        if free <= 0:
            return 0
        try:
            if self.connection is None or self.connection.closed:
                self.connection = await connect()
            return await self.start_some(self.connection, free)
        except (psycopg.Error, OSError) as error:
            logger.warning("%s: the database is not available: %s", self.name, error)
            if self.connection:
                with contextlib.suppress(psycopg.Error, OSError):
                    await self.connection.close()
            return 0

    async def _rest(self, *, refill: bool) -> None:
        """Wait for a reason to look again: soon when there was work, else until woken, at most a second."""
        if refill:
            await asyncio.sleep(REFILL_SECONDS)
            self.woken.clear()
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), POLL_SECONDS)
        self.woken.clear()


class Deliveries(Stream):
    """Webhooks: one client session for the life of the process, results written in batches."""

    name = "deliver"

    def __init__(self, slots: int, render: Render) -> None:
        super().__init__(slots)
        self.render = render
        self.results: list[Result] = []
        self.has_results = asyncio.Event()
        self.session: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def equipment(self) -> Any:
        self.session = make_session(connections=self.slots + TEST_SLOTS, seconds=DEADLINE_SECONDS)
        recorder = asyncio.create_task(self._record_until_done())
        try:
            yield
        finally:
            self.stopping.set()
            self.has_results.set()
            await recorder
            await self.session.close()

    async def start_some(self, connection: psycopg.AsyncConnection[Any], free: int) -> int:
        taken_at = time.monotonic()
        claimed = await claim_tests(connection, TEST_SLOTS)
        claimed += await claim_deliveries(connection, free)
        if claimed:
            endpoints = await load_endpoints(connection, {delivery.lane_id for delivery in claimed})
            bodies = await self.render(connection, claimed, endpoints)
            for delivery in claimed:
                parcel = Parcel(delivery, endpoints.get(delivery.lane_id), bodies.get(delivery.id))
                self.start(self._deliver(parcel, taken_at))
        return len(claimed)

    async def _deliver(self, parcel: Parcel, taken_at: float) -> None:
        # The lease is the database's; what is left of it is counted by this machine's steady clock.
        if time.monotonic() - taken_at > LATEST_DIAL_SECONDS:
            return  # stopped or starved meanwhile: the row comes back by itself when the lease ends
        self.results.append(await attempt(self.session, parcel))
        if len(self.results) >= FLUSH_ROWS or not self.has_results.is_set():
            self.has_results.set()

    async def _record_until_done(self) -> None:
        connection: psycopg.AsyncConnection[Any] | None = None
        while True:
            await self.has_results.wait()
            if len(self.results) < FLUSH_ROWS and not self.stopping.is_set():
                await asyncio.sleep(FLUSH_SECONDS)
            self.has_results.clear()
            while self.results:
                batch = self.results[: FLUSH_ROWS * 4]
                try:
                    if connection is None or connection.closed:
                        connection = await connect()
                    await record(connection, batch)
                    del self.results[: len(batch)]
                    self.woken.set()
                except (psycopg.Error, OSError) as error:
                    logger.warning("deliver: results wait for the database: %s", error)
                    if connection:
                        with contextlib.suppress(psycopg.Error, OSError):
                            await connection.close()
                    if self.stopping.is_set():
                        return  # the leases run out and the deliveries are made again
                    await asyncio.sleep(POLL_SECONDS)
            if self.stopping.is_set() and not self.active:
                if connection:
                    await connection.close()
                return
            if self.stopping.is_set():
                await asyncio.sleep(FLUSH_SECONDS)
                self.has_results.set()


class Dispatches(Stream):
    """Outbound messages. What sends them is synchronous (SMTP), so each runs in a thread of this loop."""

    name = "send"

    def __init__(self, slots: int, send: Callable[[Claimed], None]) -> None:
        super().__init__(slots)
        self.send = send
        self.threads = ThreadPoolExecutor(slots, thread_name_prefix="send")

    async def start_some(self, connection: psycopg.AsyncConnection[Any], free: int) -> int:
        claimed = await claim_dispatches(connection, free)
        for dispatch in claimed:
            self.start(self._send(dispatch))
        return len(claimed)

    async def _send(self, dispatch: Claimed) -> None:
        await asyncio.get_running_loop().run_in_executor(self.threads, self.send, dispatch)
        self.woken.set()


class StreamThread(threading.Thread):
    """One stream with an event loop of its own, beside the Celery worker's main thread."""

    def __init__(self, make: Callable[[], Stream]) -> None:
        super().__init__(name="stream", daemon=True)
        self.make = make
        self.stream: Stream | None = None

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self.stream = self.make()
        await self.stream.run()

    def stop(self) -> None:
        if self.stream:
            self.stream.stop()
        self.join(STOP_SECONDS + 5)
