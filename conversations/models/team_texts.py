"""Text messages to people of the team about new leads."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import User
from conversations.models.conversations import Conversation
from core.ids import uuid7
from messaging.models import ChannelConnection


class TeamText(models.Model):
    """One SMS to one person: a row and a job each, so that nobody gets it twice because it failed for somebody else."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(ChannelConnection, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    dialled_at = models.DateTimeField(null=True)  # as a dispatch has it
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="team_text_once")]

    def __str__(self) -> str:
        return f"to {self.user_id} about {self.conversation_id}"
