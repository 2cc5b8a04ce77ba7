"""Events that are sent again."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import uuid7
from outbox.models import Lane
from webhooks.event_types import EventType


class Replay(models.Model):
    """Events of a time that are sent to one endpoint again, or (`is_dry_run`) only counted."""

    CATEGORY = "replay"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="replays")
    since = models.DateTimeField()
    until = models.DateTimeField()
    event_types = ArrayField(models.CharField(max_length=40, choices=EventType.choices), default=list)  # empty: all
    only_undelivered = models.BooleanField(default=True)
    is_dry_run = models.BooleanField(default=False)
    cursor = models.UUIDField(null=True)  # the last event that was looked at: it commits with what it led to
    created_by = models.CharField(max_length=250)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["lane", "-id"], name="replay_newest")]
