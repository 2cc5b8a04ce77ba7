"""Mails to people of the team."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models.users import User


class Letter(models.Model):
    """One mail to one person, about something that happened. Its words are written when it is sent, and not kept."""

    EXPIRES = "created_at < now() - interval '7 days'"

    CATEGORY = "letter"  # of its job

    id = models.UUIDField(primary_key=True, editable=False)  # made of what it is about: it is written once
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=20)  # who writes each is named in settings (LETTER_WRITERS)
    about_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"
