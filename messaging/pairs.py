"""How often one account may write to one person.

WhatsApp takes one message to a person in 6 seconds, and bursts of 45 that are paid back:
https://developers.facebook.com/docs/whatsapp/cloud-api/overview#pair-rate-limits
It is kept as the limit of a second is (messaging/pacing.py): by the time at which the next message is due.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from messaging.base import PairLimit

_TAKE = """
INSERT INTO messaging_pairpace AS p (lane_id, person_id, next_at)
VALUES (%(lane)s, %(person)s, now() + make_interval(secs => %(gap)s))
ON CONFLICT (lane_id, person_id) DO UPDATE SET next_at = greatest(p.next_at, now()) + make_interval(secs => %(gap)s)
    WHERE p.next_at <= now() + make_interval(secs => %(lent)s)
RETURNING next_at
"""
_OPENS = """
SELECT next_at - make_interval(secs => %(lent)s) FROM messaging_pairpace
WHERE lane_id = %(lane)s AND person_id = %(person)s
"""


def take_turn(lane_id: UUID, person_id: UUID, limit: PairLimit) -> datetime | None:
    """Count a message to a person. Return when it may go where that is not now; then it is not counted."""
    lent = (limit.burst - 1) * limit.seconds
    values: dict[str, Any] = {"lane": lane_id, "person": person_id, "gap": limit.seconds, "lent": lent}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        if cursor.fetchone():
            return None
        cursor.execute(_OPENS, values)
        row = cursor.fetchone()
    return row[0] if row else None
