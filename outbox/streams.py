"""The streams that run in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import psycopg
import uvloop

from outbox.claims import Claimed
from outbox.database import connect, hang_up
from outbox.schedule import STOP_SECONDS

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
REFILL_SECONDS = 0.008


class Stream(ABC):
    """Claim what is due while there are free slots; sleep until woken or a second has passed."""

    name = "stream"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.pause = POLL_SECONDS
        self.opens_at = 0.0  # when something may be done that has to wait now, by the steady clock
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

    def look_in(self, seconds: float) -> None:
        """Look again in so many seconds: something may be done then that has to wait now."""
        now = time.monotonic()
        self.opens_at = min(self.opens_at, now + seconds) if self.opens_at > now else now + seconds

    def _opens_in(self) -> float:
        left = self.opens_at - time.monotonic()
        return left if left > 0 else POLL_SECONDS

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
                await asyncio.wait_for(self.woken.wait(), min(self.pause, self._opens_in()))
        self.woken.clear()


class StreamThread(threading.Thread):
    """One stream with an event loop of its own, beside the Celery worker's main thread."""

    def __init__(self, make: Callable[[], Stream]) -> None:
        super().__init__(name="stream", daemon=True)
        self.make = make
        self.stream: Stream | None = None
        self.is_stopping = False

    def run(self) -> None:
        try:
            uvloop.run(self._run())
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


_threads: dict[str, StreamThread] = {}


def add(kind: str, thread: StreamThread) -> None:
    _threads[kind] = thread


def wake(kind: str) -> None:
    """Let this process's stream look at once, if it has one of this kind."""
    stream: Stream | None = _threads[kind].stream if kind in _threads else None
    if stream:
        stream.wake()
