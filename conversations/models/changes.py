"""What people and programs did with a conversation, beyond its messages."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import User
from conversations.models.conversations import Conversation
from core.ids import uuid7


class ConversationChange(models.Model):
    """One line between the messages: closed, assigned, snoozed, handed over."""

    class Kind(models.TextChoices):
        CLOSED = "closed", "closed it"
        REOPENED = "reopened", "reopened it"
        ASSIGNED = "assigned", "assigned it to"
        UNASSIGNED = "unassigned", "assigned it to nobody"
        SNOOZED = "snoozed", "snoozed it until"
        WOKEN = "woken", "took it back from snoozing"
        TAKEN_OVER = "taken_over", "took it over for the team"
        HANDED_BACK = "handed_back", "handed it back to programs"
        UNANSWERED = "unanswered", "was not answered in time"
        TAGGED = "tagged", "added the tag"
        UNTAGGED = "untagged", "removed the tag"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="changes", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    by_name = models.CharField(max_length=250, blank=True)  # "": nobody, its time had come
    value = models.CharField(max_length=250, blank=True)  # to whom, which tag
    until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["conversation", "-id"], name="change_newest")]

    def __str__(self) -> str:
        return f"{self.by_name} {self.get_kind_display()} {self.value}"
