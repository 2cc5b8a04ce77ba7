"""The streams' own connections to Django's database."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connections

from outbox.schedule import scaled

# A database that vanished without a word must not hang a loop: notice within seconds.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# A worker that is stopped in the middle of a transaction holds locks that the others need to write down their results.
# It loses them before the others lose their leases (30 s, of which a call may take 15).
TIMEOUTS = {
    "statement_timeout": timedelta(seconds=10),
    "idle_in_transaction_session_timeout": timedelta(seconds=5),
}


async def connect() -> psycopg.AsyncConnection[Any]:
    """Open a connection of our own to Django's database, in autocommit."""
    parameters = connections["default"].get_connection_params()
    limits = [f"-c {name}={scaled(limit) // timedelta(milliseconds=1)}" for name, limit in TIMEOUTS.items()]
    parameters["options"] = " ".join([parameters.get("options", ""), *limits])
    for ours in ("cursor_factory", "context", "pool", "prepare_threshold"):
        parameters.pop(ours, None)
    connection = await psycopg.AsyncConnection.connect(**parameters, **KEEPALIVES, autocommit=True)
    connection.prepare_threshold = 1
    return connection


async def hang_up(connection: psycopg.AsyncConnection[Any] | None) -> None:
    if connection:
        with contextlib.suppress(psycopg.Error, OSError):
            await connection.close()
