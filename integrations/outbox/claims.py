"""Take work: first lanes, then rows of each lane, never more than there are free slots.

`lane.next_due_at` is a hint about when to look, never the truth: the rows are. A lane without due rows is looked at
again after 1, 2, 4 ... 30 s, so a wake-up that got lost costs seconds and nothing else. All times are the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row

LEASE = timedelta(seconds=30)
LANES_AT_ONCE = 100
LONGEST_IDLE_SECONDS = 30

_CLAIM = sql.SQL("""
WITH lane AS MATERIALIZED (
    SELECT l.id, l.max_in_flight - (
        SELECT count(*) FROM {table} w WHERE w.lane_id = l.id AND w.claim IS NOT NULL AND w.next_attempt_at > now()
    ) AS free
    FROM integrations_lane l
    WHERE l.kind = %(kind)s AND l.next_due_at <= now() AND l.held_at IS NULL AND l.stopped_at IS NULL
    ORDER BY l.next_due_at LIMIT %(lanes)s FOR UPDATE OF l SKIP LOCKED
), share AS (
    SELECT id, free, least(free, greatest(1, %(slots)s / greatest(1, (SELECT count(*) FROM lane WHERE free > 0)))) AS n
    FROM lane
), picked AS MATERIALIZED (
    SELECT w.id FROM share, LATERAL (
        SELECT id FROM {table} WHERE lane_id = share.id AND next_attempt_at <= now() {unless}
        ORDER BY next_attempt_at, id LIMIT greatest(share.n, 0) FOR UPDATE SKIP LOCKED
    ) w LIMIT %(slots)s
), claimed AS (
    UPDATE {table} w SET claim = %(claim)s, attempts = attempts + 1, next_attempt_at = now() + %(lease)s
    FROM picked WHERE w.id = picked.id RETURNING w.*
), counted AS (
    SELECT share.id, share.free, share.n, (SELECT count(*) FROM claimed c WHERE c.lane_id = share.id) AS got FROM share
), looked AS (
    UPDATE integrations_lane l SET
        idle_rounds = CASE WHEN c.got > 0 THEN 0 ELSE least(l.idle_rounds + 1, 5) END,
        next_due_at = CASE
            WHEN c.free <= 0 OR c.got >= c.free THEN now() + interval '1 s'  -- full: whoever finishes wakes it
            WHEN c.got >= c.n THEN now()
            ELSE least(
                coalesce((SELECT min(next_attempt_at) FROM {table} w
                          WHERE w.lane_id = l.id AND w.next_attempt_at > now()), 'infinity'),
                now() + make_interval(secs => least(power(2, l.idle_rounds), %(idle)s)))
        END
    FROM counted c WHERE l.id = c.id
)
SELECT {columns}, now() AS claimed_at FROM claimed
""")

_CLAIM_TESTS = sql.SQL("""
UPDATE integrations_delivery w SET claim = %(claim)s, attempts = attempts + 1, next_attempt_at = now() + %(lease)s
WHERE id IN (
    SELECT id FROM integrations_delivery WHERE is_test AND next_attempt_at <= now()
    ORDER BY id LIMIT %(slots)s FOR UPDATE SKIP LOCKED)
RETURNING {columns}, now() AS claimed_at
""")


@dataclass(frozen=True)
class Claimed:
    """One row of work that is ours until `next_attempt_at`, if `claim` still stands in it."""

    id: UUID
    lane_id: UUID
    order_key: UUID | None
    attempts: int
    claim: UUID
    next_attempt_at: datetime
    created_at: datetime
    claimed_at: datetime
    organization_id: UUID
    source_id: UUID


@dataclass(frozen=True)
class ClaimedDelivery(Claimed):
    event_id: UUID
    event_type: str
    is_test: bool


async def claim_deliveries(connection: AsyncConnection[Any], slots: int) -> list[ClaimedDelivery]:
    """Claim up to `slots` deliveries."""
    return await _claim(
        connection, _CLAIM, slots, "webhook", "integrations_delivery", "AND NOT is_test", ClaimedDelivery
    )


async def claim_tests(connection: AsyncConnection[Any], slots: int) -> list[ClaimedDelivery]:
    """Claim test deliveries: they wait for no lane, held, full or stopped."""
    return await _claim(connection, _CLAIM_TESTS, slots, "webhook", "integrations_delivery", "", ClaimedDelivery)


async def claim_dispatches(connection: AsyncConnection[Any], slots: int) -> list[Claimed]:
    """Claim up to `slots` outbound messages."""
    return await _claim(connection, _CLAIM, slots, "channel", "integrations_dispatch", "", Claimed)


async def _claim(
    connection: AsyncConnection[Any],
    statement: sql.SQL,
    slots: int,
    kind: str,
    table: str,
    unless: str,
    shape: type[Any],
) -> list[Any]:
    columns = [name for name in shape.__dataclass_fields__ if name != "claimed_at"]
    query = statement.format(
        table=sql.Identifier(table), unless=sql.SQL(unless), columns=sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    values = {
        "kind": kind,
        "slots": slots,
        "lanes": LANES_AT_ONCE,
        "claim": uuid4(),
        "lease": LEASE,
        "idle": LONGEST_IDLE_SECONDS,
    }
    async with connection.cursor(row_factory=class_row(shape)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()
