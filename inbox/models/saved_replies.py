"""Texts that the team writes again and again."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Organization, User
from core.ids import encode, uuid7

SAVED_LENGTH = 5_000  # characters
SAVED_MAX = 200  # of one organization


class SavedReply(models.Model):
    """One text of an organization, with variables like {{first_name}} that each lead and agent fills."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    content = models.TextField("Text", max_length=SAVED_LENGTH)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="saved_reply_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("saved", self.pk)
