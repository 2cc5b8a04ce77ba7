"""What each kind of background job does. The kinds are named in settings, so that higher apps can have theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from outbox.models import Job


def _cancel(*, job: Job, because: str, **_: object) -> None:
    job.cancel(because)


def _nobodys(viewer: object) -> Iterable[UUID]:
    return ()


@dataclass(frozen=True)
class JobKind:
    """One category of jobs.

    `run` takes the id of the job's subject. It may return a delay to be called again after it: long jobs work in
    batches and commit each one. `cancel` takes `job`, `actor` and `because`. `subjects_of` returns the subjects, of
    jobs without a source, that belong to a caller who does not see the whole organization.
    """

    run: Callable[[UUID], timedelta | None]
    cancel: Callable[..., object] = _cancel
    subjects_of: Callable[[Any], Any] = _nobodys


@cache
def kinds_of(queue: str) -> dict[str, JobKind]:
    """Return the kinds of jobs that a queue's workers do, by category (settings, BACKGROUND_JOBS)."""
    named = {category: import_string(path) for category, path in settings.BACKGROUND_JOBS[queue].items()}
    return {category: kind if isinstance(kind, JobKind) else JobKind(kind) for category, kind in named.items()}


def kind_of(category: str) -> JobKind:
    """Return the kind of a category, whichever queue it has."""
    return next(kinds[category] for kinds in map(kinds_of, settings.BACKGROUND_JOBS) if category in kinds)
