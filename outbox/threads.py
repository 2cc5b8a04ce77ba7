"""Threads for what is synchronous. None keeps its process from ending: a mail server may take ten minutes to answer."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, close_old_connections, connection

logger = logging.getLogger(__name__)

STOP_SECONDS = 5


class RepeatingThread(threading.Thread):
    """Calls `work` again and again, for as long as its worker lives. An error is logged, and the work goes on."""

    def __init__(self, name: str, work: Callable[[], bool], every_seconds: float) -> None:
        """`work` returns True when it has more to do at once."""
        super().__init__(name=name, daemon=True)
        self.work = work
        self.every_seconds = every_seconds
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            if not self._has_more():
                self.stopping.wait(self.every_seconds)
        connection.close()

    def _has_more(self) -> bool:
        try:
            return self.work()
        except DatabaseError as error:
            logger.warning("%s: the database is not available: %s", self.name, error)
        except Exception:
            logger.exception("%s: it failed", self.name)
        close_old_connections()
        return False

    def ask_to_stop(self) -> None:
        self.stopping.set()

    def stop(self) -> None:
        self.stopping.set()
        self.join(STOP_SECONDS)


class DaemonThreads:
    """Run functions in threads that are kept for the next one, with their connections.

    A ThreadPoolExecutor would be waited for when the process ends. Whoever uses this bounds how many run at once.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.idle = threading.Semaphore(0)

    async def run(self, function: Callable[..., None], *arguments: Any) -> None:
        """Return when it has ended. It must not raise."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def work() -> None:
            try:
                function(*arguments)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(ended.set)

        self.work.put(work)
        if not self.idle.acquire(blocking=False):
            threading.Thread(target=self._serve, name=self.name, daemon=True).start()
        await ended.wait()

    def _serve(self) -> None:
        while True:
            self.work.get()()
            self.idle.release()
