"""The delivery history of outbound messages."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from conversations.models.messages import Message
from core.ids import uuid7


class StatusChange(models.Model):
    """One step of an outbound message, by our clock and, where it says so, by the provider's."""

    class Step(models.TextChoices):
        SENDING = "sending", "Not sent yet"
        SENT = "sent", "Sent"
        DELAYED = "delayed", "Delayed"
        DELIVERED = "delivered", "Delivered"
        READ = "read", "Read"
        FAILED = "failed", "Not sent"
        COMPLAINT = "complaint", "Reported as spam"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="status_changes")
    step = models.CharField(max_length=10, choices=Step.choices)
    code = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=500, blank=True)  # in the provider's words
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    provider_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.step
