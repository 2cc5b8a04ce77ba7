"""The safety nets of the outbox: rows that nobody would look at in time.

Each sweep wakes what it comes upon. The first kind happens when a process dies between its commit and its wake. The
second cannot happen (`ordering.py`), so it is counted, and `/readyz` and `/metrics` tell of it.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from core.ids import first_id
from outbox import streams
from outbox.models import work_models
from outbox.threads import RepeatingThread
from outbox.wakes import wake_with

logger = logging.getLogger(__name__)

LOOKS_EVERY_SECONDS = 0.5
LEFT_BEHIND_EVERY_SECONDS = 60.0
FRESH = timedelta(seconds=20)  # how old a row may be when its wake is missed
LEFT_BEHIND = "outbox.left-behind"  # the tally

# By the primary key: ids are in the order of time, so only recent rows are read.
_UNWOKEN = """
SELECT DISTINCT w.lane_id FROM {table} w
JOIN outbox_lanetimer c ON c.lane_id = w.lane_id JOIN outbox_lane l ON l.id = w.lane_id
WHERE w.id > %s AND w.claim IS NULL AND w.next_attempt_at <= now() - interval '0.2 s' AND c.check_at > now()
    AND l.held_at IS NULL AND l.stopped_at IS NULL AND (l.open_until IS NULL OR l.open_until <= now())
"""
# The first row of each key that has rows which wait; it should never be one of these.
_LEFT_BEHIND = """
UPDATE {table} d SET next_attempt_at = now() WHERE d.next_attempt_at IS NULL AND d.id IN (
    SELECT first.id FROM (
        SELECT DISTINCT lane_id, order_key FROM {table}
        WHERE next_attempt_at IS NULL AND order_key IS NOT NULL
    ) k CROSS JOIN LATERAL (
        SELECT id FROM {table} WHERE lane_id = k.lane_id AND order_key = k.order_key
        ORDER BY sequence, id LIMIT 1
    ) first
) RETURNING d.lane_id
"""
_COUNT = """
INSERT INTO outbox_counter AS t (name, count) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET count = t.count + excluded.count
"""


def wake_unwoken() -> int:
    """Wake the lanes of fresh rows that nobody woke. Return how many."""
    since, count = first_id(timezone.now() - FRESH), 0
    for model in work_models():
        kind = model.lane_kind
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_UNWOKEN.format(table=model._meta.db_table), [since])
            if lanes := [lane_id for (lane_id,) in cursor.fetchall()]:
                wake_with(kind, lanes)
                count += len(lanes)
                streams.wake(kind)
    return count


def wake_left_behind() -> int:
    """Wake rows that wait and have nobody ahead of them. Return how many; it should be 0."""
    count = 0
    for model in work_models():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LEFT_BEHIND.format(table=model._meta.db_table))
            if lanes := [lane_id for (lane_id,) in cursor.fetchall()]:
                cursor.execute(_COUNT, [LEFT_BEHIND, len(lanes)])
                wake_with(model.lane_kind, lanes)
                logger.error("%d %s waited and had nobody ahead of them", len(lanes), model.plural)
                count += len(lanes)
    return count


class Sweeps:
    """When each sweep is due."""

    def __init__(self) -> None:
        self.long_at = time.monotonic() + LEFT_BEHIND_EVERY_SECONDS

    def run(self) -> bool:
        wake_unwoken()
        if time.monotonic() > self.long_at:
            self.long_at = time.monotonic() + LEFT_BEHIND_EVERY_SECONDS
            wake_left_behind()
        return False


def sweeper() -> RepeatingThread:
    """Return a thread that sweeps."""
    return RepeatingThread("sweeper", Sweeps().run, LOOKS_EVERY_SECONDS)
