"""Tags of conversations."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Organization
from conversations.models.conversations import TAG_LENGTH


class Tag(models.Model):
    """A word of an organization for its conversations, as it was first written. All its members know its tags."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=TAG_LENGTH)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = [Lower("name")]
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="tag_once")]

    def __str__(self) -> str:
        return self.name
