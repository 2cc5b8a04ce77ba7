"""Deliveries on their way, and the log of their attempts."""

from __future__ import annotations

from django.db import models

from accounts.reach import ReachQuerySet
from core.ids import uuid7
from outbox.models import Lane, SlotKind, Work


class DeliveryQuerySet(ReachQuerySet["Delivery"]):
    pass


class Delivery(Work):
    """One event on its way to one endpoint. The row exists while the delivery is open."""

    lane_kind, plural = Lane.Kind.WEBHOOK, "deliveries"

    organization_id = models.UUIDField()
    source_id = models.UUIDField(null=True)  # empty: the event concerns the organization
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=40)  # as this endpoint sees it: its card's options may rename an arrival
    is_test = models.BooleanField(default=False)
    is_announcement = models.BooleanField(default=False)  # a lead that was held back is announced as new
    is_aside = models.BooleanField(default=False, db_default=False)  # refused so often that the next ones went ahead

    objects = DeliveryQuerySet.as_manager()

    class Meta(Work.Meta):
        abstract = False
        verbose_name_plural = "deliveries"
        indexes = [
            *Work.Meta.indexes,
            models.Index(fields=["source_id", "-id"], name="delivery_of_source"),
            models.Index(fields=["event_id"], name="delivery_of_event"),
            models.Index(fields=["id"], condition=models.Q(is_test=True), name="delivery_tests"),
            # What waits behind another one: the sweep's (outbox/sweeps.py).
            models.Index(
                fields=["lane", "order_key"], condition=models.Q(next_attempt_at__isnull=True), name="delivery_behind"
            ),
        ]

    @property
    def is_replay(self) -> bool:
        return self.slot_kind == SlotKind.REPLAY


class AttemptQuerySet(ReachQuerySet["Attempt"]):
    pass


class Attempt(models.Model):
    """One try to deliver one event, or the end of a delivery without one (cancelled)."""

    MONTHS_KEPT_BY = "EVENTS_KEPT_DAYS"

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
