"""Number committed events for the feed: without gaps, without repeats, whatever order they commit in."""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, close_old_connections, connection, transaction

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # events in one statement
LOOKS_EVERY_SECONDS = 0.5
_LOCK = 0x1EAD0002  # advisory: one sequencer at a time; another one waits for its turn, not for its rows

# One statement, so that a kill numbers all of them or none. What commits later gets a later number.
_NUMBER = """
WITH taken AS (
    DELETE FROM integrations_unsequenced WHERE event_id IN (
        SELECT event_id FROM integrations_unsequenced ORDER BY event_id LIMIT %s)
    RETURNING event_id, organization_id, source_id
), heads AS (
    INSERT INTO integrations_feedhead AS h (organization_id, position)
    SELECT organization_id, count(*) FROM taken GROUP BY organization_id ORDER BY organization_id
    ON CONFLICT (organization_id) DO UPDATE SET position = h.position + excluded.position
    RETURNING organization_id, position
), numbered AS (
    SELECT t.*, row_number() OVER (PARTITION BY organization_id ORDER BY event_id DESC) - 1 AS back FROM taken t
)
INSERT INTO integrations_feedentry (organization_id, position, event_id, source_id)
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


class Sequencer(threading.Thread):
    """Numbers events for as long as its worker lives."""

    def __init__(self) -> None:
        super().__init__(name="sequencer", daemon=True)
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                if number_events() == AT_ONCE:
                    continue
            except DatabaseError as error:
                logger.warning("sequencer: the database is not available: %s", error)
                close_old_connections()
            except Exception:
                logger.exception("sequencer: nothing was numbered")
                close_old_connections()
            self.stopping.wait(LOOKS_EVERY_SECONDS)
        connection.close()

    def ask_to_stop(self) -> None:
        self.stopping.set()

    def stop(self) -> None:
        self.stopping.set()
        self.join(5)
