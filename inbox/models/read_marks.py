"""How far each member has read each conversation."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from conversations.models import Conversation


class ReadMark(models.Model):
    """One person has read one conversation up to a time, or has marked it as unread again."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    read_at = models.DateTimeField()  # the time of the newest thing that they saw in it
    is_unread = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "conversation"], name="read_mark_once")]

    def __str__(self) -> str:
        return f"{self.user_id} read {self.conversation_id} until {self.read_at}"
