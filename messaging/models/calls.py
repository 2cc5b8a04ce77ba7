"""Calls of providers, as they came in."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from core.ids import encode, uuid7


class InboundCallQuerySet(models.QuerySet["InboundCall"]):
    def without_effect(self) -> Self:
        """Those that changed nothing here: nobody knows what, or whom, they are about."""
        outcomes = InboundCall.Outcome
        return self.filter(outcome__in=[outcomes.IGNORED, outcomes.UNREADABLE])


class InboundCall(models.Model):
    """One call of a provider whose signature was right, whole, before anybody made sense of it.

    Kept for PROVIDER_CALLS_KEPT_DAYS, in monthly partitions.
    """

    MONTHS_KEPT_BY = "PROVIDER_CALLS_KEPT_DAYS"

    class Outcome(models.TextChoices):
        WAITING = "waiting", "Not yet read"
        APPLIED = "applied", "Done"
        IGNORED = "ignored", "About nothing that is here"
        UNREADABLE = "unreadable", "Not understood"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    connection_id = models.BigIntegerField()
    url = models.CharField(max_length=2000)  # as the provider called it
    content_type = models.CharField(max_length=200, blank=True, db_default="", default="")
    body = models.BinaryField()
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.WAITING)
    detail = models.CharField(max_length=300, blank=True)  # why it had no effect
    lead_ids = ArrayField(models.UUIDField(), default=list)  # whom it is about: erasing one blanks the call
    received_at = models.DateTimeField(default=timezone.now)

    objects = InboundCallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection_id", "-id"], name="inbound_call_newest"),
            models.Index(
                fields=["organization_id", "-id"],
                condition=models.Q(outcome__in=["ignored", "unreadable"]),
                name="inbound_call_no_effect",
            ),
            GinIndex(fields=["lead_ids"], name="inbound_call_of_lead"),
        ]

    def __str__(self) -> str:
        return encode("call", self.pk)
