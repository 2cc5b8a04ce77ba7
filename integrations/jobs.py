"""Background jobs: rows that are run at least once, each with its own retries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from integrations.models import Job

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
GAPS = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 30, 120, 600, 1800, 7200, 21600))
AT_ONCE = 20

_CLAIM = """
UPDATE integrations_job SET next_attempt_at = now() + %s, attempts = attempts + 1 WHERE id IN (
    SELECT id FROM integrations_job WHERE next_attempt_at <= now() ORDER BY next_attempt_at
    LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, category, subject_id, attempts
"""

Handlers = Mapping[str, Callable[[UUID], None]]


def run_due(handlers: Handlers) -> int:
    """Run what is due; return how many were run."""
    with connection.cursor() as cursor:
        values: list[Any] = [LEASE, AT_ONCE]
        cursor.execute(_CLAIM, values)
        rows = cursor.fetchall()
    for job_id, category, subject_id, attempts in rows:
        _run(handlers, job_id, category, subject_id, attempts)
    return len(rows)


def _run(handlers: Handlers, job_id: UUID, category: str, subject_id: UUID, attempts: int) -> None:
    row = Job.objects.filter(pk=job_id)
    try:
        handlers[category](subject_id)
    except Exception as error:
        logger.exception("job %s (%s) failed", job_id, category)
        if attempts < len(GAPS):
            row.update(next_attempt_at=timezone.now() + GAPS[attempts], error=repr(error)[:500])
        else:
            row.update(
                next_attempt_at=None, status=Job.Status.FAILED, finished_at=timezone.now(), error=repr(error)[:500]
            )
    else:
        row.update(next_attempt_at=None, status=Job.Status.DONE, finished_at=timezone.now(), error="")
