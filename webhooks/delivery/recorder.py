"""Write results while others still come in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from core.ids import encode
from outbox.database import connect, hang_up
from outbox.schedule import STOP_SECONDS
from webhooks.delivery.results import Result, record

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.02
TALLY_SECONDS = 5
FLUSH_ROWS = 50
RETRY_SECONDS = 0.5

_TALLY = """
INSERT INTO outbox_counter AS t (name, count) SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (name) DO UPDATE SET count = t.count + excluded.count
"""


def _told(result: Result) -> dict[str, object]:
    """What a log line says of an attempt: with the ids that people see, and nothing of the lead."""
    delivery = result.delivery
    return {
        "delivery": encode("dlv", delivery.id),
        "event": encode("evt", delivery.event_id),
        "attempt": delivery.attempts,
        "outcome": result.outcome.value,
        "error": result.error,
        "ms": result.duration_ms,
    }


class Recorder:
    """Writes results in batches. What the database refuses for good is dropped alone, not with its batch."""

    def __init__(self, after: Callable[[], None]) -> None:
        self.results: list[Result] = []
        self.waiting = asyncio.Event()
        self.after = after  # called when something was written
        self.closing = False
        self.connection: psycopg.AsyncConnection[Any] | None = None
        self.tally: Counter[str] = Counter()
        self.tallied_at = time.monotonic()
        self.running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write from now on. Call it in the event loop."""
        self.running = asyncio.create_task(self.run())

    def add(self, result: Result) -> None:
        self.results.append(result)
        self.waiting.set()

    async def close(self) -> None:
        """Write what is left, for as long as a stop may take.

        The batch that is being written comes first: a second one beside it, on the same connection, would be a
        transaction within the other's, and both would be lost.
        """
        self.closing = True
        self.waiting.set()
        if self.running:
            await self.running
        deadline = time.monotonic() + STOP_SECONDS
        while self.results and time.monotonic() < deadline:
            await self._write_some()
        await self._write_tally()
        await hang_up(self.connection)

    async def run(self) -> None:
        # Connected before there is a result: what is answered and not yet written would be sent again after a kill.
        with contextlib.suppress(psycopg.Error, OSError):
            self.connection = await connect()
        while not self.closing:
            await self.waiting.wait()
            if len(self.results) < FLUSH_ROWS:
                await asyncio.sleep(FLUSH_SECONDS)
            self.waiting.clear()
            while self.results and not self.closing:
                await self._write_some()

    async def _write_some(self) -> None:
        batch = self.results[: FLUSH_ROWS * 4]
        busy: set[UUID] = set()
        try:
            busy = await self._write(batch)
        except Exception as error:
            if self._is_away(error):
                logger.warning("deliver: %d results wait for the database: %s", len(self.results), error)
                await hang_up(self.connection)
                await asyncio.sleep(RETRY_SECONDS)
                return
            logger.exception("deliver: a batch was refused, its results go one by one")
            busy = {result.delivery.id for result in batch if not await self._write_alone(result)}
        self.results[: len(batch)] = [result for result in batch if result.delivery.id in busy]
        self._tell([result for result in batch if result.delivery.id not in busy])
        if self.closing or time.monotonic() - self.tallied_at > TALLY_SECONDS:
            await self._write_tally()
        if busy:
            await asyncio.sleep(FLUSH_SECONDS)

    def _is_away(self, error: Exception) -> bool:
        """True when the database did not take the batch, rather than refused what is in it."""
        is_closed = self.connection is None or self.connection.closed
        return is_closed or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError)

    def _tell(self, written: list[Result]) -> None:
        self.after()
        for result in written:
            if not result.is_ok:
                logger.info("an attempt failed", extra=_told(result))
        self.tally.update(f"attempts.{result.outcome.value}" for result in written)

    async def _write_tally(self) -> None:
        """Add to the operator's counts, apart from the batches: all workers add to the same few rows."""
        names, counts = zip(*sorted(self.tally.items()), strict=True) if self.tally else ((), ())
        self.tallied_at = time.monotonic()
        try:
            if self.connection and names:
                async with self.connection.transaction():
                    await self.connection.execute("SET LOCAL synchronous_commit = off")
                    await self.connection.execute(_TALLY, [list(names), list(counts)])
                self.tally.clear()
        except (psycopg.Error, OSError) as error:
            logger.info("deliver: counts wait for the database: %s", error)

    async def _write_alone(self, result: Result) -> bool:
        """Return False if the result has to wait: its row is locked, or the database is away."""
        try:
            return not await self._write([result])
        except Exception as error:
            if self._is_away(error):
                return False
            # Its delivery is made again when the lease ends, and ends with its last attempt.
            logger.exception("delivery %s: its result cannot be written", result.delivery.id)
            return True

    async def _write(self, batch: list[Result]) -> set[UUID]:
        if self.connection is None or self.connection.closed:
            self.connection = await connect()
        return await record(self.connection, batch)
