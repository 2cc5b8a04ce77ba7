"""Mails to people of the team."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import User


class Letter(models.Model):
    """One mail to one person, about something that happened. Its words are written when it is sent, and not kept."""

    CATEGORY = "letter"  # of its job

    class Kind(models.TextChoices):
        INVITATION = "invitation", "Invitation"
        PASSWORD = "password", "Choose a password"
        NEW_LEAD = "new-lead", "New lead"
        TROUBLE = "trouble", "A webhook fails"

    id = models.UUIDField(primary_key=True, editable=False)  # made of what it is about: it is written once
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    about_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} to {self.user_id}"
