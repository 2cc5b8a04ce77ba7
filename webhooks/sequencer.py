"""Number committed events for the feed: without gaps, without repeats, whatever order they commit in."""

from __future__ import annotations

from django.db import connection, transaction

from outbox.threads import RepeatingThread

AT_ONCE = 1_000  # events in one statement
LOOKS_EVERY_SECONDS = 0.5
_LOCK = 0x1EAD0002  # advisory: one sequencer at a time; another one waits for its turn, not for its rows

# One statement, so that a kill numbers all of them or none. What commits later gets a later number.
_NUMBER = """
WITH taken AS (
    DELETE FROM webhooks_pendingfeedentry WHERE event_id IN (
        SELECT event_id FROM webhooks_pendingfeedentry ORDER BY event_id LIMIT %s)
    RETURNING event_id, organization_id, source_id
), heads AS (
    INSERT INTO webhooks_feedhead AS h (organization_id, position)
    SELECT organization_id, count(*) FROM taken GROUP BY organization_id ORDER BY organization_id
    ON CONFLICT (organization_id) DO UPDATE SET position = h.position + excluded.position
    RETURNING organization_id, position
), numbered AS (
    SELECT t.*, row_number() OVER (PARTITION BY organization_id ORDER BY event_id DESC) - 1 AS back FROM taken t
)
INSERT INTO webhooks_feedentry (organization_id, position, event_id, source_id)
SELECT n.organization_id, h.position - n.back, n.event_id, n.source_id
FROM numbered n JOIN heads h USING (organization_id)
"""


def number_events() -> int:
    """Give numbers to what has committed. Return how many events; 0 also while another process is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
        if not (row and row[0]):
            return 0
        cursor.execute(_NUMBER, [AT_ONCE])
        return int(cursor.rowcount)


def sequencer() -> RepeatingThread:
    """Return a thread that numbers events."""
    return RepeatingThread("sequencer", lambda: number_events() == AT_ONCE, LOOKS_EVERY_SECONDS)
