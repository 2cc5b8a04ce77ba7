"""Make idle lanes due, so that a worker looks at them.

No wake is lost, whatever happens at the same moment: a look locks the timers of its lanes before it looks at their rows
(`claims.py`), and a wake locks the timer before it decides whether there is anything to do. So a wake that comes while
a lane is being looked at waits for the end of that look, and one that came before it is seen by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from outbox import hints
from outbox.models import Lane

# A short look begins this much before the last whole sweep of its lane, so a row that became visible later than this
# after its time needs a whole look.
SWEEP_MARGIN = timedelta(seconds=2)

# What was read with the lock is the newest version of the timer; `c` is only the one of the statement's beginning.
_WAKE = """
WITH {quickly} asked AS (
    SELECT u.lane_id, min(coalesce(u.due, now())) AS at FROM {from_quickly}
        unnest(%(lanes)s::uuid[], %(dues)s::timestamptz[], %(sinces)s::timestamptz[]) u(lane_id, due, since)
    WHERE u.since IS NULL OR EXISTS (SELECT FROM outbox_lanetimer c WHERE c.lane_id = u.lane_id
        AND c.check_at > coalesce(u.due, now()) AND (c.swept_to IS NULL OR c.swept_to < u.since))
    GROUP BY u.lane_id
), locked AS MATERIALIZED (
    SELECT c.lane_id, c.check_at, c.swept_to, asked.at FROM outbox_lanetimer c JOIN asked USING (lane_id)
    ORDER BY c.lane_id FOR UPDATE OF c
)
UPDATE outbox_lanetimer c SET idle_rounds = 0,
    check_at = least(locked.check_at, greatest(locked.at, l.open_until)),
    swept_to = CASE WHEN %(behind)s THEN NULL WHEN locked.swept_to > locked.at THEN locked.at ELSE locked.swept_to END
FROM locked JOIN outbox_lane l ON l.id = locked.lane_id
WHERE c.lane_id = locked.lane_id AND (locked.check_at > greatest(locked.at, l.open_until)
    OR locked.swept_to > locked.at + %(margin)s / 2 OR (%(behind)s AND locked.swept_to IS NOT NULL))
"""
_WAKE_WITH = _WAKE.format(quickly="", from_quickly="")
# Alone in its transaction nothing is lost with this write, so its commit need not wait for the disk.
_WAKE_ALONE = _WAKE.format(
    quickly="quickly AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),",
    from_quickly="quickly,",
)


class Look(NamedTuple):
    """When to look at a lane.

    With `since` it is for a slot that became free. That matters only if the look that filled it, at `since`, had to
    leave something behind. Should another look find the lane full at this moment, it comes back by itself.
    """

    lane_id: UUID
    due: datetime | None = None  # None: now
    since: datetime | None = None


def _values(looks: Iterable[Look], *, behind: bool = False) -> dict[str, Any]:
    """Return the statement's parameters. `behind`: rows may be due since before the last whole sweep of their lane."""
    lanes, dues, sinces = zip(*looks, strict=True)
    return {
        "lanes": list(lanes),
        "dues": list(dues),
        "sinces": list(sinces),
        "behind": behind,
        "margin": SWEEP_MARGIN,
    }


async def wake_in(cursor: Any, looks: list[Look]) -> None:
    """Make lanes due, in the transaction of an outbox's worker."""
    if looks:
        await cursor.execute(_WAKE_WITH, _values(looks))


def wake_with(kind: Lane.Kind, lane_ids: Iterable[UUID]) -> None:
    """Make lanes due in the transaction that changed their rows, and hint the worker after it."""
    lanes = sorted(set(lane_ids))
    if not lanes:
        return
    with connection.cursor() as cursor:
        cursor.execute(_WAKE_WITH, _values(map(Look, lanes), behind=True))
    transaction.on_commit(lambda: hints.send(kind), robust=True)


def wake(kind: Lane.Kind, lane_ids: Iterable[UUID]) -> None:
    """After the commit, make idle lanes due and hint the worker. Call it before the rows are written.

    Not in the transaction: intakes of one source would wait for each other's commits on the timer's row. Should the
    process die in between, `sweeps.py` finds the rows within a second.
    """
    lanes = sorted(set(lane_ids))
    if not lanes:
        return
    written_at = time.monotonic()  # or later: rows are due from then on

    def wake_now() -> None:
        behind = time.monotonic() - written_at > SWEEP_MARGIN.total_seconds() / 2
        with connection.cursor() as cursor:
            cursor.execute(_WAKE_ALONE, _values(map(Look, lanes), behind=behind))
        hints.send(kind)

    transaction.on_commit(wake_now, robust=True)


def wake_freed(kind: Lane.Kind, lane_id: UUID, since: datetime) -> None:
    """After the commit, let a lane use the slot that a row gave back, which was claimed at `since`.

    If the lane is due already, or left nothing behind then, its timer is not locked: all rows of a lane end here.
    """

    def wake_now() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_WAKE_ALONE, _values([Look(lane_id, since=since)]))
        hints.send(kind)

    transaction.on_commit(wake_now, robust=True)
