"""Background jobs: rows that are run at least once, each with its own retries."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now

from outbox.models import Job
from outbox.schedule import scaled

logger = logging.getLogger(__name__)

LEASE = scaled(timedelta(minutes=2))
RENEWED_EVERY = LEASE / 4
GAPS = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 30, 120, 600, 1800, 7200, 21600))

# In turns: a flood of one organization's mails keeps nobody else's waiting. The index job_in_turns has this order, so a
# claim takes no longer when many jobs wait.
_CLAIM = """
UPDATE outbox_job SET next_attempt_at = now() + %(lease)s, attempts = attempts + 1, status = 'processing',
    started_at = coalesce(started_at, now())
WHERE id IN (
    SELECT first.id FROM unnest(%(categories)s::text[]) c(category) CROSS JOIN LATERAL (
        SELECT id, organization_id, next_attempt_at FROM outbox_job j
        WHERE j.category = c.category AND next_attempt_at <= now() AND organization_id {after} %(served)s {more}
        ORDER BY organization_id, next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED) first
    ORDER BY first.organization_id, first.next_attempt_at LIMIT 1)
RETURNING organization_id, id, category, subject_id, attempts
"""
_served_last = UUID(int=0)  # the organization whose job this process ran last
# Jobs of one organization run one after the other. A job that waits for its next attempt lets the next job pass.
_ONE_EACH = """AND NOT EXISTS (
    SELECT FROM outbox_job earlier WHERE earlier.category = j.category AND earlier.id < j.id
        AND earlier.organization_id = j.organization_id
        AND (earlier.status = 'processing' OR earlier.next_attempt_at <= now()))"""
_RENEW = """
UPDATE outbox_job SET next_attempt_at = now() + %s WHERE id = %s AND attempts = %s AND status = 'processing'
"""

# A handler that returns a time wants to go on after it: a long job works in portions, each of them committed.
Handlers = Mapping[str, Callable[[UUID], timedelta | None]]


def run_due(handlers: Handlers, *, one_each: bool = False) -> bool:
    """Run a job that is due, of those that there are handlers for. False when there is none.

    Organizations have turns, and of one the job that has been due longest is run. `one_each`: at most one of each
    organization at a time.
    """
    global _served_last
    row = _claim(handlers, ">", one_each=one_each) or _claim(handlers, "<=", one_each=one_each)
    if row is None:
        return False
    _served_last, *job = row
    _run(handlers, *job)
    return True


def _claim(handlers: Handlers, after: str, *, one_each: bool) -> tuple[Any, ...] | None:
    """Take the next job of the organizations after (">") the one that was served last, or of the others ("<=")."""
    values: dict[str, Any] = {"lease": LEASE, "categories": list(handlers), "served": _served_last}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM.format(after=after, more=_ONE_EACH if one_each else ""), values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _run(handlers: Handlers, job_id: UUID, category: str, subject_id: UUID, attempts: int) -> None:
    # Changes nothing if another worker has claimed the job since, or if it was cancelled.
    mine = Job.objects.filter(pk=job_id, attempts=attempts, status=Job.Status.PROCESSING)
    try:
        if attempts > len(GAPS):
            raise RuntimeError("The process crashed during every attempt.")
        with _lease(job_id, attempts):
            goes_on_after = handlers[category](subject_id)
    except Exception as error:
        logger.exception("job %s (%s) failed", job_id, category)
        if attempts < len(GAPS):
            mine.update(next_attempt_at=_after(GAPS[attempts]), status=Job.Status.SCHEDULED, error=_told(error))
        else:
            mine.update(next_attempt_at=None, status=Job.Status.FAILED, finished_at=Now(), error=_told(error))
    else:
        if goes_on_after is None:
            mine.update(next_attempt_at=None, status=Job.Status.DONE, finished_at=Now(), error="")
        else:
            mine.update(next_attempt_at=_after(goes_on_after), attempts=0, error="")


@contextmanager
def _lease(job_id: UUID, attempts: int) -> Iterator[None]:
    """Keep a job while it runs, however long: a mail server may take ten minutes to answer."""
    ended = threading.Event()
    keeper = threading.Thread(target=_renew, args=(job_id, attempts, ended), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()


def _renew(job_id: UUID, attempts: int, ended: threading.Event) -> None:
    while not ended.wait(RENEWED_EVERY.total_seconds()):
        try:
            with connection.cursor() as cursor:
                values: list[Any] = [LEASE, job_id, attempts]
                cursor.execute(_RENEW, values)
        except DatabaseError as error:
            logger.warning("the lease of job %s was not renewed: %s", job_id, error)
        finally:
            connection.close()


def _told(error: Exception) -> str:
    """What callers are shown of it. The rest is in the log: a database quotes the row, with people's data."""
    return f"{type(error).__name__}. The server's log has the details."


def _after(gap: timedelta) -> ExpressionWrapper[Any]:
    """A time by the database's clock."""
    return ExpressionWrapper(Now() + Value(gap), output_field=DateTimeField())
