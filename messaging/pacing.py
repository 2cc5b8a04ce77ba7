"""Keep to the pace of connections while messages are claimed: never by sleeping in a slot.

A claim holds the lock of its lanes' timers, so one worker at a time asks how many messages a lane may send, takes them
and counts them, in one transaction. What does not fit stays due, and its lane is looked at again when it opens.

A second is kept by spacing (the virtual scheduling algorithm of ITU-T I.371, as limiters call GCRA): the time of the
next message moves on by one interval for each. That interval is a little longer than the limit says, and a message may
go a little before its time, so that a worker that looks late loses nothing, and yet no second holds more than the limit
by the provider's own clock, however unevenly the network delays our calls. Hours are those of the clock; a day is this
hour and the 23 before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any
from uuid import UUID

from outbox.claims import Claimed

STRETCH = 1.05  # an interval, of what the limit says; it stands in pace_allowance() too

# In the claim's statement: how many messages a lane may send now; NULL for as many as there are. The functions are in
# the migration 0006_pace.
ALLOWANCE = "pace_allowance(l.id)"

_TAKE = """
WITH taken AS (
    SELECT t.lane_id, t.count FROM unnest(%(lanes)s::uuid[], %(counts)s::integer[]) t(lane_id, count)
    JOIN messaging_pace USING (lane_id)
), counted AS (
    INSERT INTO messaging_pacehour AS h (lane_id, hour, count)
    SELECT lane_id, date_trunc('hour', now()), count FROM taken WHERE count > 0
    ON CONFLICT (lane_id, hour) DO UPDATE SET count = h.count + excluded.count
)
UPDATE messaging_pace p SET next_at = greatest(p.next_at, now())
    + make_interval(secs => taken.count * %(stretch)s / p.per_second)
FROM taken WHERE p.lane_id = taken.lane_id AND p.per_second IS NOT NULL AND taken.count > 0
"""
_LOOK_AGAIN = """
WITH closed AS (
    SELECT lane_id, opening FROM messaging_pace, pace_opening(lane_id) opening
    WHERE lane_id = ANY(%s) AND opening > now()
)
UPDATE outbox_lanetimer timer SET check_at = closed.opening FROM closed WHERE timer.lane_id = closed.lane_id
RETURNING extract(epoch FROM closed.opening - clock_timestamp())::float
"""


async def take(cursor: Any, lanes: Collection[UUID], claimed: Collection[Claimed]) -> float | None:
    """Count what was claimed of these lanes, and let closed ones rest until they open, in the claim's transaction.

    Return in how many seconds the first of them opens; None when none is closed.
    """
    counts = Counter(row.lane_id for row in claimed)
    if counts:
        await cursor.execute(_TAKE, {"lanes": list(counts), "counts": list(counts.values()), "stretch": STRETCH})
    await cursor.execute(_LOOK_AGAIN, [list(lanes)])
    return min((row[0] for row in await cursor.fetchall()), default=None)
