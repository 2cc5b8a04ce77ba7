"""Claim work: first lanes, then rows of each lane, never more rows than there are free slots.

A lane's timer (`check_at`) is a hint about when to scan the lane. The rows themselves are the truth. A lane without due
rows is scanned again after 1, 2, 4 ... 30 s, unless it is woken (`wakes.py`). All times are the database's.

A scan takes two statements: the first locks the timers, the second reads the rows. A statement sees what was committed
when it began. With a single statement, a row could commit between its begin and its lock, and the wake of that row
would see nothing to do.

Most scans read only rows that became due recently. While another transaction holds an old snapshot, dead rows stay in
the index, and scanning past all of them would get slower and slower. Every five seconds a scan is full, so a row that a
recent scan misses (it committed late, or there were no free slots for a while) waits no longer than that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row

from outbox.models import SlotKind
from outbox.schedule import scaled
from outbox.wakes import SWEEP_MARGIN, Look, wake_in

LEASE = scaled(timedelta(seconds=30))
LANES_AT_ONCE = 100
LONGEST_IDLE_SECONDS = 30
FULL_SCAN_SECONDS = 5.0  # between two full scans of one stream
BACKLOG_ROWS = 32  # a full scan that finds this many has a backlog, so the next scan is full too
RECENT_WINDOW = SWEEP_MARGIN  # how far back a recent scan looks, for lanes and before the last full sweep of rows
NO_LIMIT = timedelta(days=36_500)
# The most rows in flight of a lane that only fails, or that answers slowly.
FAILING_IN_FLIGHT, SLOW_IN_FLIGHT = 2, 8

_LOCK_LANES = """
SELECT c.ctid, c.lane_id FROM outbox_lanetimer c JOIN outbox_lane l ON l.id = c.lane_id
WHERE c.kind = %(kind)s AND c.check_at <= now() AND c.check_at > now() - %(window)s
    AND l.held_at IS NULL AND l.stopped_at IS NULL AND (l.open_until IS NULL OR l.open_until <= now())
    AND NOT c.lane_id = ANY(%(resting)s)
    AND (l.organization_id IS NULL OR NOT l.organization_id = ANY(%(full_fresh)s))
-- Busy lanes come before idle ones. No more lanes than slots, so that every lane that is scanned is also served.
ORDER BY c.idle_rounds > 0, c.check_at LIMIT least(%(lanes)s, %(slots)s) FOR UPDATE OF c SKIP LOCKED
"""
_CLAIM = sql.SQL("""
WITH lane AS MATERIALIZED (
    SELECT l.id, l.organization_id, c.ctid AS place, c.idle_rounds, least({allowance},
    CASE WHEN l.opens > 0 THEN 1 WHEN l.failing_since IS NOT NULL THEN %(failing)s
        WHEN l.id = ANY(%(slow)s) THEN least(l.max_in_flight, %(slow_in_flight)s) ELSE l.max_in_flight END - (
        SELECT count(*) FROM {table} w WHERE w.lane_id = l.id AND w.claim IS NOT NULL AND w.next_attempt_at > now()
    )) AS free,
    CASE WHEN %(full)s THEN '-infinity' ELSE coalesce(c.swept_to - %(recent)s, '-infinity') END AS since
    FROM outbox_lanetimer c JOIN outbox_lane l ON l.id = c.lane_id
    -- By ctid: an index has an entry for each dead version of a row that an open snapshot keeps alive. The row is
    -- locked, so its ctid cannot change. The other conditions again, because a person may have stopped the lane since.
    WHERE c.ctid = ANY(%(places)s::tid[]) AND l.held_at IS NULL AND l.stopped_at IS NULL
        AND (l.open_until IS NULL OR l.open_until <= now())
), share AS (
    SELECT id, organization_id, place, idle_rounds, free, since,
        least(free, greatest(1, %(slots)s / greatest(1, (SELECT count(*) FROM lane WHERE free > 0)))) AS n
    FROM lane
-- Each kind of slot reads an index range of its own: a million retries of one endpoint are never read on the way to a
-- first attempt.
), fresh AS MATERIALIZED (
    SELECT w.id, share.id AS lane_id FROM share, LATERAL (
        SELECT id FROM {table} WHERE lane_id = share.id AND slot_kind = 0
            AND next_attempt_at BETWEEN share.since AND now()
            AND NOT id = ANY(%(held)s) {unless}
        ORDER BY next_attempt_at, id LIMIT greatest(least(share.n, %(fresh)s), 0) FOR UPDATE SKIP LOCKED
    ) w LIMIT %(fresh)s
), retry AS MATERIALIZED (
    SELECT w.id, share.id AS lane_id FROM share, LATERAL (
        SELECT id FROM {table} WHERE lane_id = share.id AND slot_kind = 1
            AND (share.organization_id IS NULL OR NOT share.organization_id = ANY(%(full_retry)s))
            AND next_attempt_at BETWEEN share.since AND now()
            AND NOT id = ANY(%(held)s) {unless}
        ORDER BY next_attempt_at, id LIMIT greatest(least(
            share.n - (SELECT count(*) FROM fresh WHERE lane_id = share.id), %(retry)s), 0) FOR UPDATE SKIP LOCKED
    ) w LIMIT %(retry)s
), replay AS MATERIALIZED (
    SELECT w.id, share.id AS lane_id FROM share, LATERAL (
        SELECT id FROM {table} WHERE lane_id = share.id AND slot_kind = 2
            AND (share.organization_id IS NULL OR NOT share.organization_id = ANY(%(full_replay)s))
            AND next_attempt_at BETWEEN share.since AND now()
            AND NOT id = ANY(%(held)s) {unless}
        ORDER BY next_attempt_at, id LIMIT greatest(least(
            share.n - (SELECT count(*) FROM fresh WHERE lane_id = share.id)
                    - (SELECT count(*) FROM retry WHERE lane_id = share.id), %(replay)s), 0) FOR UPDATE SKIP LOCKED
    ) w LIMIT %(replay)s
), claimed AS (
    UPDATE {table} w SET claim = %(claim)s, attempts = attempts + 1, next_attempt_at = now() + %(lease)s
    FROM (SELECT id FROM fresh UNION ALL SELECT id FROM retry UNION ALL SELECT id FROM replay) picked
    WHERE w.id = picked.id RETURNING w.*
), counted AS (
    SELECT share.place, share.id, share.free, c.got,
        -- when to scan the lane again at the latest
        now() + CASE WHEN c.got > 0 THEN interval '1 s'
            ELSE make_interval(secs => least(power(2, share.idle_rounds + 1), %(idle)s)) END AS latest, (
        SELECT count(*) > c.got FROM (
            -- ordered by the index, or the planner reads the whole table for a lane that has nothing
            SELECT FROM (VALUES (0), (1), (2)) p(slot_kind), LATERAL (
                SELECT FROM {table} WHERE lane_id = share.id AND slot_kind = p.slot_kind
                    AND next_attempt_at >= share.since AND next_attempt_at <= now() {unless}
                ORDER BY next_attempt_at, id LIMIT c.got + 1) rows
            LIMIT c.got + 1
        ) due
    ) AS has_more
    FROM share, LATERAL (SELECT count(*) AS got FROM claimed WHERE lane_id = share.id) c
), looked AS (
    UPDATE outbox_lanetimer timer SET
        swept_to = CASE WHEN c.has_more THEN timer.swept_to ELSE now() END,
        idle_rounds = CASE WHEN c.got > 0 OR c.has_more THEN 0 ELSE least(timer.idle_rounds + 1, 5) END,
        check_at = CASE
            WHEN c.got >= c.free THEN now() + interval '0.25 s'  -- full: whatever finishes first wakes it earlier
            WHEN c.has_more AND c.got > 0 THEN now()
            WHEN c.has_more THEN now() + interval '0.1 s'  -- what is left waits for slots of its kind
            ELSE coalesce((SELECT min(w.next_attempt_at) FROM (VALUES (0), (1), (2)) p(slot_kind), LATERAL (
                SELECT next_attempt_at FROM {table} WHERE lane_id = c.id AND slot_kind = p.slot_kind
                    AND next_attempt_at > now() AND next_attempt_at <= c.latest
                ORDER BY next_attempt_at LIMIT 1) w), c.latest)
        END
    FROM counted c WHERE timer.ctid = c.place
)
SELECT {columns}, now() AS claimed_at FROM claimed
""")


@dataclass(frozen=True)
class Claimed:
    """A claimed row of work. It is ours until `next_attempt_at`, as long as it still carries our `claim`."""

    id: UUID
    lane_id: UUID
    order_key: UUID | None
    slot_kind: int
    attempts: int
    claim: UUID
    next_attempt_at: datetime
    created_at: datetime
    claimed_at: datetime
    organization_id: UUID
    source_id: UUID | None


class Turn(NamedTuple):
    """How many rows the next scan may take, and from which organizations none, because they have their share."""

    slots: int
    full: frozenset[UUID] = frozenset()


Turns = Mapping[SlotKind, Turn]
C = TypeVar("C", bound=Claimed)
After = Callable[[Any, Collection[UUID], Collection[Any]], Awaitable[None]]

_RELEASE = sql.SQL("""
UPDATE {table} SET claim = NULL, attempts = attempts - 1, next_attempt_at = now() + interval '5 s'
WHERE id = ANY(%s) AND claim = ANY(%s) RETURNING lane_id, next_attempt_at
""")


async def release(connection: AsyncConnection[Any], claimed: Collection[Claimed], table: str) -> None:
    """Give back rows that were claimed and never started. This uses up no attempt."""
    values = [[row.id for row in claimed], list({row.claim for row in claimed})]
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(_RELEASE.format(table=sql.Identifier(table)), values)
        await wake_in(cursor, [Look(lane_id, due) for lane_id, due in await cursor.fetchall()])


async def claim(
    connection: AsyncConnection[Any],
    turns: Turns,
    kind: str,
    table: str,
    unless: str,
    shape: type[C],
    held: Collection[UUID] = (),
    resting: Collection[UUID] = (),
    *,
    slow: Collection[UUID] = (),
    full: bool = True,
    allowance: str = "NULL",
    after: After | None = None,
) -> list[C]:
    """Claim rows of a table. `allowance` is SQL: the most rows of the lane `l`, NULL for no limit.

    `after` is called in the claim's transaction, with the lanes that were looked at and the rows of them.
    """
    query = _CLAIM.format(
        table=sql.Identifier(table),
        unless=sql.SQL(unless),
        columns=columns_of(shape),
        allowance=sql.SQL(allowance),
    )
    values = {
        "kind": kind,
        "slots": sum(turn.slots for turn in turns.values()),
        **{slot_kind.name.lower(): turns[slot_kind].slots if slot_kind in turns else 0 for slot_kind in SlotKind},
        **{
            f"full_{slot_kind.name.lower()}": list(turns[slot_kind].full) if slot_kind in turns else []
            for slot_kind in SlotKind
        },
        "lanes": LANES_AT_ONCE,
        "claim": uuid4(),
        "lease": LEASE,
        "idle": LONGEST_IDLE_SECONDS,
        "failing": FAILING_IN_FLIGHT,
        "slow": list(slow),
        "slow_in_flight": SLOW_IN_FLIGHT,
        "held": list(held),
        "resting": list(resting),
        "full": full,
        "window": NO_LIMIT if full else RECENT_WINDOW,
        "recent": RECENT_WINDOW,
    }
    async with connection.transaction(), connection.cursor(row_factory=class_row(shape)) as cursor:
        lanes = await (await connection.execute(_LOCK_LANES, values)).fetchall()
        if not lanes:
            return []
        await cursor.execute(query, {**values, "places": [place for place, _ in lanes]})
        claimed = await cursor.fetchall()
        if after:
            async with connection.cursor() as plain:
                await after(plain, [lane_id for _, lane_id in lanes], claimed)
        return claimed


def columns_of(shape: type[Claimed]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in shape.__dataclass_fields__ if name != "claimed_at")
