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

DJANGOS_OWN = {"cursor_factory", "context", "prepare_threshold"}  # of connection parameters

# A worker that is stopped in the middle of a transaction holds locks that the others need to write down their results.
# It loses them before the others lose their leases (30 s, of which a call may take 15).
TIMEOUTS = {
    "statement_timeout": timedelta(seconds=10),
    "idle_in_transaction_session_timeout": timedelta(seconds=5),
}


def plain_parameters() -> dict[str, Any]:
    """Return what psycopg needs to connect to Django's database, without Django's own cursor and adapters."""
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    return {name: value for name, value in parameters.items() if name not in DJANGOS_OWN}


async def connect() -> psycopg.AsyncConnection[Any]:
    """Open a connection of our own to Django's database, in autocommit."""
    parameters = plain_parameters()
    limits = [f"-c {name}={scaled(limit) // timedelta(milliseconds=1)}" for name, limit in TIMEOUTS.items()]
    parameters["options"] = " ".join([parameters.get("options", ""), *limits])
    connection = await psycopg.AsyncConnection.connect(**parameters, **KEEPALIVES, autocommit=True)
    connection.prepare_threshold = 1
    return connection


async def hang_up(connection: psycopg.AsyncConnection[Any] | None) -> None:
    if connection:
        with contextlib.suppress(psycopg.Error, OSError):
            await connection.close()
