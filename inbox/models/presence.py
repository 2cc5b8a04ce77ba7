"""Who looks at which conversation right now."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from conversations.models import Conversation


class Presence(models.Model):
    """One person looks at one conversation. The table is not logged: after a crash everybody comes back by itself."""

    EXPIRES = "seen_at < now() - interval '1 hour'"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    seen_at = models.DateTimeField(db_index=True)
    typed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="presence_once")]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.conversation_id}"
