"""Background work that is neither a delivery nor a message."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from core.ids import encode, uuid7


class Job(models.Model):
    """Something to do once, soon, and again if it fails. Long ones say how far they are and can be cancelled."""

    EXPIRES = "finished_at < now() - interval '7 days'"

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "Scheduled"
        PROCESSING = "processing", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNFINISHED = (Status.SCHEDULED, Status.PROCESSING)
    SHOWN = ("replay", "import")  # what somebody asked for, and follows

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    source_id = models.UUIDField(null=True)
    category = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SCHEDULED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    done = models.PositiveIntegerField(db_default=0)
    total = models.PositiveIntegerField(null=True)  # when it is known
    error = models.CharField(max_length=500, blank=True)
    result = models.JSONField(null=True, blank=True)  # what it came to, beyond counts
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_because = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(next_attempt_at__isnull=False), name="job_due"),
            # For the claim: organizations have turns (jobs.py).
            models.Index(
                fields=["category", "organization_id", "next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="job_in_turns",
            ),
            models.Index(fields=["subject_id"], name="job_of_subject"),
            BrinIndex(fields=["finished_at"], name="job_finished"),  # whether anything ended recently (metrics.py)
            models.Index(
                fields=["organization_id", "-id"],
                condition=models.Q(category__in=["import", "replay"]),
                name="job_newest",
            ),
        ]

    @property
    def public_id(self) -> str:
        return encode("job", self.pk)

    @property
    def is_unfinished(self) -> bool:
        return self.status in self.UNFINISHED

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self.status == self.Status.DONE:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0

    def cancel(self, because: str) -> None:
        """Stop it where it is; what was done stays done. Cancelling a finished job changes nothing."""
        Job.objects.filter(pk=self.pk, status__in=self.UNFINISHED).update(
            status=self.Status.CANCELLED,
            next_attempt_at=None,
            finished_at=timezone.now(),
            cancelled_because=because[:300],
        )
