"""Sources: where leads come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models.organizations import Organization
from accounts.reach import ReachQuerySet
from core.ids import encode, uuid7


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("Choose a time zone of the IANA list, like Europe/Berlin.")


class SourceQuerySet(ReachQuerySet["Source"]):
    source_column = "pk"

    def active(self) -> Self:
        return self.filter(archived_at=None)

    def businesses(self) -> Self:
        return self.filter(kind=Source.Kind.BUSINESS)

    def named(self, text: str, *, organizations: Iterable[UUID] | models.QuerySet[Organization]) -> Self:
        """The sources of organizations by their id or their external id, as API callers name them."""
        from core.ids import decode

        source_id = decode("src", text)
        match = models.Q(pk=source_id) if source_id else models.Q(external_id=text)
        return self.active().filter(match, organization__in=organizations)


class Source(models.Model):
    """A business, or a location that has a business as its parent. Two levels, enforced by the database."""

    class Kind(models.TextChoices):
        BUSINESS = "business", "Business"
        LOCATION = "location", "Location"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="sources")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The composite key (parent, 'business', organization) stands in the SQL migration.
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="locations", db_constraint=False
    )
    name = models.CharField(max_length=200)
    external_id = models.CharField(max_length=100, blank=True, help_text="Your own name for it, if it has one.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    form_origins = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="Websites whose pages may post the form, as https://example.com. Empty: any.",
    )
    answers_take_over = models.BooleanField(
        "answers of the team take over",
        default=False,
        db_default=False,
        help_text="Once the team has answered, programs and automation no longer do, until somebody hands it back.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="business", parent=None) | models.Q(kind="location", parent__isnull=False),
                name="source_location_has_parent",
            ),
            models.UniqueConstraint(
                "organization",
                "external_id",
                condition=~models.Q(external_id=""),
                name="source_external_id_unique",
                violation_error_message="Another source of the organization has this external id.",
            ),
        ]
        indexes = [models.Index("organization", Lower("name"), name="source_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("src", self.pk)

    @property
    def is_location(self) -> bool:
        return self.kind == self.Kind.LOCATION

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
