"""Celery's doorways to the outbox. They decide nothing."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import close_old_connections

from outbox import hints, jobs, streams
from outbox.job_kinds import kinds_of

TURN_SECONDS = 5.0


@shared_task(name=hints.WAKE, ignore_result=True, acks_late=False)
def wake(kind: str) -> None:
    """Let this worker's stream of one kind of lane look at once."""
    streams.wake(kind)


@shared_task(name=hints.RUN_JOBS, ignore_result=True)
def run_due_jobs(queue: str) -> None:
    """Do what is due, for some seconds at most: a worker that was asked to end ends between two such turns."""
    close_old_connections()
    ends_at = time.monotonic() + TURN_SECONDS
    handlers = {category: kind.run for category, kind in kinds_of(queue).items()}
    while jobs.run_due(handlers, one_each=queue == hints.IMPORTS):
        close_old_connections()
        if time.monotonic() > ends_at:
            hints.send(queue)  # there may be more
            return
