"""Background jobs: rows that are run at least once, each with its own retries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now

from integrations.models import Job
from integrations.outbox.schedule import scaled

logger = logging.getLogger(__name__)

LEASE = scaled(timedelta(minutes=2))
GAPS = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 30, 120, 600, 1800, 7200, 21600))

_CLAIM = """
UPDATE integrations_job SET next_attempt_at = now() + %s, attempts = attempts + 1, status = 'processing',
    started_at = coalesce(started_at, now())
WHERE id IN (
    SELECT id FROM integrations_job WHERE next_attempt_at <= now() ORDER BY next_attempt_at
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, category, subject_id, attempts
"""

# A handler that returns a time wants to go on after it: a long job works in portions, each of them committed.
Handlers = Mapping[str, Callable[[UUID], timedelta | None]]


def run_due(handlers: Handlers) -> bool:
    """Run the job that has been due longest. False when there is none."""
    with connection.cursor() as cursor:
        lease: list[Any] = [LEASE]
        cursor.execute(_CLAIM, lease)
        row = cursor.fetchone()
    if row is None:
        return False
    _run(handlers, *row)
    return True


def _run(handlers: Handlers, job_id: UUID, category: str, subject_id: UUID, attempts: int) -> None:
    # Not if somebody else has it by now, or it was cancelled meanwhile.
    mine = Job.objects.filter(pk=job_id, attempts=attempts, status=Job.Status.PROCESSING)
    try:
        if attempts > len(GAPS):
            raise RuntimeError("Every attempt ended with the process that made it.")
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


def _told(error: Exception) -> str:
    """What callers are shown of it. The rest is in the log: a database quotes the row, with people's data."""
    return f"{type(error).__name__}. The server's log has the details."


def _after(gap: timedelta) -> ExpressionWrapper[Any]:
    """A time by the database's clock."""
    return ExpressionWrapper(Now() + Value(gap), output_field=DateTimeField())
