"""What waits becomes due, as by "Retry now", and is done, as the workers do it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from conversations.models import Message
from core.ids import uuid7
from messaging.models import Dispatch
from outbox import jobs
from outbox.claims import Claimed
from outbox.job_kinds import kinds_of
from outbox.models import Job, Lane
from outbox.wakes import wake_with
from webhooks.models import Delivery

LONG_AGO = "2020-01-01T00:00Z"


def handlers(queue: str) -> dict[str, Any]:
    """What a queue's workers run, by category."""
    return {category: kind.run for category, kind in kinds_of(queue).items()}


def make_due() -> None:
    """Make every row due that waits for its time; those that wait behind another one go on waiting."""
    with transaction.atomic():
        for kind, model in ((Lane.Kind.WEBHOOK, Delivery), (Lane.Kind.CHANNEL, Dispatch)):
            waiting = model._default_manager.filter(claim=None, next_attempt_at__isnull=False)
            waiting.update(next_attempt_at=Now())
            wake_with(kind, waiting.values_list("lane_id", flat=True))


def claim_of(message: Message) -> Claimed:
    """Claim a queued message, as a worker's stream does."""
    Dispatch.objects.filter(pk=message.pk).update(claim=uuid7(), attempts=F("attempts") + 1)
    row = Dispatch.objects.get(pk=message.pk)
    values = {name: getattr(row, name) for name in Claimed.__dataclass_fields__ if name != "claimed_at"}
    return Claimed(**values, claimed_at=timezone.now())


def run_jobs() -> None:
    """Run all jobs that are due, as the workers do."""
    while True:
        # Inside a test's transaction the database's clock stands still, so what is due now never is.
        Job.objects.filter(next_attempt_at__lte=Now()).update(next_attempt_at=LONG_AGO)
        if not any(jobs.run_due(handlers(queue), one_each=queue == "imports") for queue in settings.BACKGROUND_JOBS):
            return


def run_failed_jobs() -> None:
    """Run those jobs again that failed and wait for their next attempt."""
    Job.objects.filter(status=Job.Status.SCHEDULED).update(next_attempt_at=Now())
    run_jobs()
