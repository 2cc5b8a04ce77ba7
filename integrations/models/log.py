"""What happened. These tables grow without end, so they are partitioned by month (see partitions.py).

PostgreSQL partitions them by ranges of their UUIDv7 keys. No foreign key points at them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils import timezone

from core.ids import encode, uuid7
from core.secrets import SecretField
from integrations.access import ReachQuerySet
from integrations.event_types import EventType


class EventQuerySet(ReachQuerySet["Event"]):
    pass


class Event(models.Model):
    """An immutable record that something happened; what webhooks carry."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    source_id = models.UUIDField(null=True)  # empty: it concerns the organization, as the stop of a subscription does
    lead_id = models.UUIDField(null=True)
    conversation_id = models.UUIDField(null=True)
    type = models.CharField(max_length=40, choices=EventType.choices)
    sequence = models.BigIntegerField(default=0)  # the conversation's own count
    happened_at = models.DateTimeField(default=timezone.now)
    payload = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="event_newest"),
            models.Index(fields=["lead_id"], name="event_of_lead"),
        ]

    @property
    def public_id(self) -> str:
        return encode("evt", self.pk)


class AttemptQuerySet(ReachQuerySet["Attempt"]):
    pass


class Attempt(models.Model):
    """One try to deliver one event, or the end of a delivery without one (cancelled)."""

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", "Delivered"
        RETRYING = "retrying", "Failed, will be tried again"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LATE = "late", "Finished after its lease, another attempt decides"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery_id = models.UUIDField()
    event_id = models.UUIDField()
    lane_id = models.UUIDField()
    organization_id = models.UUIDField()
    source_id = models.UUIDField(null=True)
    event_type = models.CharField(max_length=40)
    is_test = models.BooleanField(default=False)
    is_aside = models.BooleanField(default=False, db_default=False)  # sent out of order
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.IntegerField(default=0)
    dns_ms = models.IntegerField(null=True)  # these three: see outbox/timings.py
    connect_ms = models.IntegerField(null=True)
    first_byte_ms = models.IntegerField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    dialled = models.CharField(max_length=60, blank=True)
    request_headers = models.JSONField(default=dict)  # secrets masked
    request_body = models.TextField(blank=True)  # on the first attempt; later ones send the same bytes
    answer_headers = models.JSONField(default=dict)
    answer_body = models.TextField(blank=True)
    next_attempt_at = models.DateTimeField(null=True)
    next_because = models.CharField(max_length=200, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["delivery_id", "-id"], name="attempt_of_delivery"),
            models.Index(fields=["lane_id", "-id"], name="attempt_of_lane"),
            models.Index(fields=["event_id"], name="attempt_of_event"),
            models.Index(fields=["organization_id", "-id"], name="attempt_newest"),
        ]


class ApiCallQuerySet(ReachQuerySet["ApiCall"]):
    pass


class ApiCall(models.Model):
    """One call of the API by a key. Bodies are not kept."""

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


class OnceUsed(models.Model):
    """Nonces of forms and other things that count once; `expires_at` says when they may be forgotten."""

    digest = models.BinaryField(primary_key=True)
    outcome = models.JSONField(default=dict)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="once_used_oldest")]


class RateWindow(models.Model):
    """How many calls one principal made in one window. The table is UNLOGGED: a crash forgives."""

    key = models.CharField(max_length=200, primary_key=True)
    started_at = models.DateTimeField()
    count = models.IntegerField()


class CallWindow(models.Model):
    """How many calls one principal made in its minute and its hour (see rates.py). The table is UNLOGGED."""

    key = models.CharField(max_length=200, primary_key=True)
    minute_at = models.DateTimeField()
    minute_count = models.IntegerField()
    hour_at = models.DateTimeField()
    hour_count = models.IntegerField()


__all__ = ["ApiCall", "Attempt", "CallWindow", "Event", "IdempotencyKey", "OnceUsed", "RateWindow"]
