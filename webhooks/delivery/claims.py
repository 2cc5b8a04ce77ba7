"""Claim deliveries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row

from outbox.claims import LEASE, Claimed, Turns, claim, columns_of

_CLAIM_TESTS = sql.SQL("""
UPDATE webhooks_delivery w SET claim = %(claim)s, attempts = attempts + 1, next_attempt_at = now() + %(lease)s
WHERE id IN (
    SELECT id FROM webhooks_delivery WHERE is_test AND next_attempt_at <= now()
    ORDER BY id LIMIT %(slots)s FOR UPDATE SKIP LOCKED)
RETURNING {columns}, now() AS claimed_at
""")


@dataclass(frozen=True)
class ClaimedDelivery(Claimed):
    event_id: UUID
    event_type: str
    is_test: bool
    is_announcement: bool
    is_aside: bool


async def claim_deliveries(
    connection: AsyncConnection[Any],
    turns: Turns,
    held: Collection[UUID] = (),
    *,
    slow: Collection[UUID] = (),
    full: bool = True,
) -> list[ClaimedDelivery]:
    """Claim deliveries, as many of each slot_kind as its turn says.

    None of those that this process still has in hand (`held`), and few of lanes that answer slowly (`slow`).
    """
    table, unless = "webhooks_delivery", "AND NOT is_test"
    return await claim(connection, turns, "webhook", table, unless, ClaimedDelivery, held, slow=slow, full=full)


async def claim_tests(connection: AsyncConnection[Any], slots: int) -> list[ClaimedDelivery]:
    """Claim test deliveries: they wait for no lane, held, full or stopped."""
    query = _CLAIM_TESTS.format(columns=columns_of(ClaimedDelivery))
    async with connection.cursor(row_factory=class_row(ClaimedDelivery)) as cursor:
        await cursor.execute(query, {"claim": uuid4(), "lease": LEASE, "slots": slots})
        return await cursor.fetchall()
