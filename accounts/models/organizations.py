"""The tenant."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import uuid7


class Organization(models.Model):
    """The tenant. Nothing of one organization is ever visible from another."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
