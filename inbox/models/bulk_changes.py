"""Changes of many conversations at once, which can be undone."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

from accounts.models import Organization, User
from core.ids import encode, uuid7

UNDONE_WITHIN = timedelta(minutes=10)


class BulkChange(models.Model):
    """What one person changed at once, with what was there before."""

    EXPIRES = "created_at < now() - interval '1 hour'"

    class Action(models.TextChoices):
        ASSIGN = "assign", "assigned"
        CLOSE = "close", "closed"
        SNOOZE = "snooze", "snoozed"
        TAG = "tag", "tagged"
        READ = "read", "marked as read"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=10, choices=Action.choices)
    # By conversation (its UUID as text), of those that changed: what there was before.
    before = models.JSONField(default=dict)
    refused = models.PositiveSmallIntegerField(default=0)  # how many could not be changed
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    undone_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.get_action_display()} {len(self.before)}"

    @property
    def public_id(self) -> str:
        return encode("bulk", self.pk)

    @property
    def can_be_undone(self) -> bool:
        return self.undone_at is None and timezone.now() - self.created_at < UNDONE_WITHIN and bool(self.before)
