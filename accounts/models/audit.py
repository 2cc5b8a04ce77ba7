"""Who changed what."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models.organizations import Organization
from accounts.models.users import User
from core.ids import uuid7


class AuditEntry(models.Model):
    """One change: who, when, from where, and before and after with secrets masked. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="audit_entries")
    source_id = models.UUIDField(null=True, blank=True)  # plain: the layer of sources is above this one
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    actor = models.CharField(max_length=250)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=250)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_newest"),
            models.Index(fields=["source_id", "-id"], name="audit_of_source"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}"
