"""Message templates of connections, as their providers list them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from messaging.models.connections import ChannelConnection
from messaging.templates import variables_of

APPROVED = "APPROVED"
STATUSES = {
    APPROVED: ("ok", "Approved"),
    "PENDING": ("warn", "Waiting for approval"),
    "IN_APPEAL": ("warn", "Waiting for approval"),
    "REJECTED": ("bad", "Rejected"),
    "PAUSED": ("bad", "Paused for its quality"),
    "DISABLED": ("bad", "Disabled"),
}


class MessageTemplateQuerySet(models.QuerySet["MessageTemplate"]):
    def sendable(self) -> Self:
        return self.filter(status=APPROVED, is_sendable=True)


class MessageTemplate(models.Model):
    """One template in one language."""

    connection = models.ForeignKey(ChannelConnection, on_delete=models.CASCADE, related_name="templates")
    name = models.CharField(max_length=512)
    language = models.CharField(max_length=20)
    category = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=40)
    body = models.TextField()
    is_sendable = models.BooleanField()  # False: it needs a file, or a variable outside the body
    refreshed_at = models.DateTimeField(default=timezone.now)

    objects = MessageTemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name", "language"]
        constraints = [models.UniqueConstraint(fields=["connection", "name", "language"], name="message_template_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def state(self) -> tuple[str, str]:
        """A mark and its words."""
        if self.status == APPROVED and not self.is_sendable:
            return "off", "Needs a file or a button's address, which cannot be sent from here"
        return STATUSES.get(self.status, ("off", self.status.capitalize()))

    @property
    def variables(self) -> list[str]:
        return variables_of(self.body)
