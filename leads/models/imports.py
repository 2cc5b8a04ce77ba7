"""Leads that come in a file."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Organization, Source
from core.ids import uuid7


class LeadImport(models.Model):
    """A file of leads on its way in. `position` commits with what its rows led to, so a killed one goes on there."""

    CATEGORY = "import"

    class Format(models.TextChoices):
        JSON = "json", "JSON array"
        NDJSON = "ndjson", "JSON, one object in each line"
        CSV = "csv", "CSV"

    class Identifier(models.TextChoices):
        EMAIL = "email", "Email"
        UNIQUE_ID = "unique_id", "Unique id"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    file = models.FileField(upload_to="imports/%Y/%m")
    format = models.CharField(max_length=6, choices=Format.choices)
    identifier = models.CharField(max_length=10, choices=Identifier.choices, default=Identifier.EMAIL)
    mapping = models.JSONField(default=dict)  # a column of the file -> our field, "" leaves it out
    is_dry_run = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)  # rows that were looked at
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0, db_default=0)  # about a lead that the file named before
    failed = models.PositiveIntegerField(default=0)
    started_by = models.CharField(max_length=250)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["organization", "-id"], name="import_newest")]


class ImportProblem(models.Model):
    """Why one row of an import was left out."""

    lead_import = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()  # the first one is 1; a header does not count
    field = models.CharField(max_length=100, blank=True)
    detail = models.CharField(max_length=500)

    class Meta:
        indexes = [models.Index(fields=["lead_import", "row"], name="import_problem_in_order")]
