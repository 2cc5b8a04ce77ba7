"""Filters of the inbox with a name."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Membership, Organization, User
from core.ids import encode, uuid7

QUERY_LENGTH = 1_000
VIEWS_MAX = 50  # of one person in one organization, and so many that its members share


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def of(self, membership: Membership) -> Self:
        """The member's own, and those that colleagues share."""
        rows = self.filter(organization=membership.organization_id)
        return rows.filter(models.Q(owner=membership.user_id) | models.Q(is_shared=True))


class SavedView(models.Model):
    """A filter of the inbox with a name. It shows each person what they may see, whoever saved it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=QUERY_LENGTH, blank=True)  # of the inbox's address
    is_shared = models.BooleanField("show it to the whole team", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = [Lower("name"), "id"]
        indexes = [models.Index(fields=["organization", "owner"], name="saved_view_of_organization")]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("view", self.pk)
