"""How an endpoint does: working, failing, its breaker open, people warned, stopped.

The breaker: after BREAKS_AT failures in a row nothing is sent for a while, then one probe. A probe that fails opens it
again for twice as long, one that succeeds closes it. It only ever delays, and it counts no attempt.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.ids import uuid7
from outbox.schedule import scaled
from outbox.wakes import Look, wake_in

BREAKS_AT = 8  # failures in a row
OPEN_FIRST, OPEN_LONGEST = timedelta(seconds=5), timedelta(minutes=5)
WARNED_AFTER = (timedelta(days=1), timedelta(days=3))  # of nothing but failures
STOPS_AFTER = timedelta(days=5)
TROUBLE = "endpoint-trouble"  # the category of the job that tells people

_LOCK = "SELECT 1 FROM outbox_lane WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_OK = """
UPDATE outbox_lane SET last_ok_at = now(), failing_since = NULL, last_error = '', failures = 0, opens = 0,
    open_until = NULL, warned_days = 0, published_days = 0
WHERE id = ANY(%s) AND (failing_since IS NOT NULL OR last_ok_at IS NULL OR last_ok_at < now() - interval '5 s')
"""
# What is in flight when it opens fails too, and opens it no further.
_FAILED = """
UPDATE outbox_lane l SET failing_since = coalesce(l.failing_since, now()), last_error = f.error,
    failures = l.failures + f.count,
    opens = CASE WHEN opens_now THEN least(l.opens + 1, 30) ELSE l.opens END,
    open_until = CASE WHEN opens_now THEN now() + least(%(first)s * power(2, l.opens), %(longest)s)
        ELSE l.open_until END,
    warned_days = greatest(l.warned_days, CASE WHEN l.failing_since < now() - %(warned_last)s THEN 3
        WHEN l.failing_since < now() - %(warned_first)s THEN 1 ELSE 0 END),
    stopped_at = CASE WHEN f.stop <> '' OR l.failing_since < now() - %(stops)s THEN coalesce(l.stopped_at, now())
        ELSE l.stopped_at END,
    stopped_because = CASE WHEN f.stop <> '' THEN f.stop
        WHEN l.failing_since < now() - %(stops)s THEN 'Nothing but failures for 5 days' ELSE l.stopped_because END
FROM unnest(%(lanes)s::uuid[], %(errors)s::text[], %(stop)s::text[], %(counts)s::int[]) AS f(id, error, stop, count)
JOIN outbox_lane was ON was.id = f.id,
LATERAL (
    SELECT was.failures + f.count >= %(breaks)s AND (was.open_until IS NULL OR was.open_until <= now())
) breaker(opens_now)
WHERE l.id = f.id
RETURNING l.id, l.warned_days > was.warned_days OR l.stopped_at IS DISTINCT FROM was.stopped_at AS is_news
"""
_TELL = """
INSERT INTO outbox_job (id, organization_id, category, subject_id, status, attempts, error)
SELECT *, 'scheduled', 0, '' FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::uuid[])
"""


@dataclass(frozen=True)
class LaneResult:
    """What one attempt says about its lane: `error` is empty when it says nothing bad, `stop` when it stops nothing."""

    lane_id: UUID
    organization_id: UUID
    is_ok: bool
    error: str
    stop: str = ""

    @property
    def is_failure(self) -> bool:
        return bool(not self.is_ok and self.error) or bool(self.stop)


def stops_at(failing_since: datetime) -> datetime:
    """When an endpoint is stopped that has done nothing but fail."""
    return failing_since + scaled(STOPS_AFTER)


async def tell_lanes(cursor: Any, results: list[LaneResult], due: list[Look]) -> None:
    """Write the health of lanes, and when to look at them next."""
    working = sorted({result.lane_id for result in results if result.is_ok})
    failures = [result for result in results if result.is_failure]
    await cursor.execute(_LOCK, [[*working, *(failure.lane_id for failure in failures)]])
    if working:  # first: one success among failures ends "nothing but failures"
        await cursor.execute(_OK, [working])
    if failures:
        await _count_failures(cursor, failures)
    if due:
        await wake_in(cursor, due)


async def _count_failures(cursor: Any, failures: list[LaneResult]) -> None:
    last = {failure.lane_id: failure for failure in failures}
    stopping = {failure.lane_id: failure.stop for failure in failures if failure.stop}
    counts = Counter(failure.lane_id for failure in failures)
    lanes = sorted(last)
    values = {
        "lanes": lanes,
        "errors": [last[lane].error[:300] for lane in lanes],
        "stop": [stopping.get(lane, "") for lane in lanes],
        "counts": [counts[lane] for lane in lanes],
        "breaks": BREAKS_AT,
        "first": scaled(OPEN_FIRST),
        "longest": scaled(OPEN_LONGEST),
        "warned_first": scaled(WARNED_AFTER[0]),
        "warned_last": scaled(WARNED_AFTER[1]),
        "stops": scaled(STOPS_AFTER),
    }
    await cursor.execute(_FAILED, values)
    news = [lane for lane, is_news in await cursor.fetchall() if is_news]
    if news:
        owners = [last[lane].organization_id for lane in news]
        await cursor.execute(_TELL, [[uuid7() for _ in news], owners, [TROUBLE] * len(news), news])
