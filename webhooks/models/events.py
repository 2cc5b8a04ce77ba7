"""What happened."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.reach import ReachQuerySet
from core.ids import encode, uuid7
from webhooks.event_types import EventType


class EventQuerySet(ReachQuerySet["Event"]):
    pass


class Event(models.Model):
    """An immutable record that something happened; what webhooks carry."""

    MONTHS_KEPT_BY = "EVENTS_KEPT_DAYS"

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
