"""Connections whose statements wait a random moment, so that two operations interleave differently each time."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

from outbox.database import connect, hang_up

PAUSE_SECONDS = 0.0015  # before a statement, at most


class JitteryCursor(psycopg.AsyncCursor[Any]):
    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        if random.random() < 0.5:
            await asyncio.sleep(random.random() * PAUSE_SECONDS)
        return await super().execute(*args, **kwargs)


def jittery(execute: Any, *rest: Any) -> Any:
    """Wrap Django's own statements (`connection.execute_wrapper`)."""
    if random.random() < 0.5:
        time.sleep(random.random() * PAUSE_SECONDS)
    return execute(*rest)


_of_thread = threading.local()


def outbox(work: Callable[[psycopg.AsyncConnection[Any]], Any]) -> Any:
    """Run one step of the outbox as a stream does, on this thread's own connection."""
    if not hasattr(_of_thread, "runner"):
        _of_thread.runner = asyncio.Runner()
        _of_thread.connection = _of_thread.runner.run(connect())
        _of_thread.connection.cursor_factory = JitteryCursor
    return _of_thread.runner.run(work(_of_thread.connection))


def close_connections() -> None:
    """Close what this thread opened."""
    if hasattr(_of_thread, "runner"):
        _of_thread.runner.run(hang_up(_of_thread.connection))
        _of_thread.runner.close()
        del _of_thread.runner
    connection.close()
