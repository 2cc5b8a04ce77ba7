"""Threads for what is synchronous, that keep no process from ending: a mail server may take ten minutes to answer."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any


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
