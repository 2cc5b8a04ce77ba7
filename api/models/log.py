"""What happened. These tables grow without end, so they are partitioned by month (see partitions.py).

PostgreSQL partitions them by ranges of their UUIDv7 keys. No foreign key points at them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils import timezone

from accounts.reach import ReachQuerySet
from core.ids import uuid7
from core.secrets import SecretField


class ApiCallQuerySet(ReachQuerySet["ApiCall"]):
    pass


class ApiCall(models.Model):
    """One call of the API by a key. Bodies are not kept."""

    MONTHS_KEPT_BY = "API_CALLS_KEPT_DAYS"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True)
    source_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=10, default="")  # of the key: source_key, staff, app, directory
    key_id = models.UUIDField()
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=60, blank=True)
    lead_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=128)
    ms = models.IntegerField()

    objects = ApiCallQuerySet.as_manager()

    class Meta:
        verbose_name = "API call"
        indexes = [
            models.Index(fields=["source_id", "-id"], condition=models.Q(kind="source_key"), name="call_of_card"),
            models.Index(fields=["organization_id", "-id"], name="call_newest"),
            models.Index(fields=["request_id"], name="call_of_request"),
            # What people look for among millions that went well.
            models.Index(fields=["organization_id", "-id"], condition=models.Q(status__gte=400), name="call_refused"),
        ]

    @property
    def called_at(self) -> datetime:
        """When the call was made: its id says it."""
        return datetime.fromtimestamp((self.pk.int >> 80) / 1000, UTC)


class IdempotencyKey(models.Model):
    """The first good answer to a POST with an Idempotency-Key, kept for a day."""

    EXPIRES = "created_at < now() - interval '25 hours'"

    digest = models.BinaryField(primary_key=True)  # SHA-256 of principal, method, path and key
    body_digest = models.BinaryField()
    status = models.PositiveSmallIntegerField()
    answer = SecretField()
    headers = models.JSONField(default=dict)
    lead_id = models.UUIDField(null=True)  # whom the answer is about: erasing the lead blanks it
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="idempotency_oldest"),
            models.Index(fields=["lead_id"], condition=models.Q(lead_id__isnull=False), name="idempotency_of_lead"),
        ]
