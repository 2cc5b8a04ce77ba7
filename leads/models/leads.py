"""The people who reach out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from accounts.models import Organization, Source
from accounts.reach import ReachQuerySet
from core.ids import encode, first_id, uuid7
from messaging.addresses import normalize_email, normalize_phone

LONG_TEXT = 1_000  # characters
FIRST_YEAR = 1970  # of UUIDv7


class SearchText(models.Func):
    """What a search looks through, as one text: one index serves it, whichever column has the word."""

    template = "lower(%(expressions)s)"
    arg_joiner = " || ' ' || "
    output_field = models.TextField()

    def __init__(self, *columns: str, **more: Any) -> None:
        super().__init__(*(columns or ("first_name", "last_name", "email", "phone")), **more)


class LeadQuerySet(ReachQuerySet["Lead"]):
    def newest_first(self) -> Self:
        return self.order_by("-id")

    def ready(self) -> Self:
        """Leads with a phone number or an email."""
        return self.exclude(email="", phone="")

    def new(self) -> Self:
        return self.filter(returned_at=None)

    def real(self) -> Self:
        """Without test leads: what lists, counts and reports are about."""
        return self.filter(is_test=False).active()

    def active(self) -> Self:
        """Without those that were erased or became part of another one."""
        return self.filter(erased_at=None, merged_into=None)

    def containing(self, words: str) -> Self:
        """Those whose name, email or phone has each of the first five words in it (index lead_words)."""
        found = self.alias(words=SearchText())
        for word in words.split()[:5]:
            found = found.filter(words__contains=word.lower())
        return found

    def with_phone(self, text: str) -> Self:
        """Those with this number, however it is written; one that is no number is compared as it stands."""
        number = normalize_phone(text)
        return self.filter(phone_e164=number).exclude(phone_e164="") if number else self.filter(phone=text)

    def created_since(self, at: datetime) -> Self:
        """Those made after a moment. Their ids are of that time, so the newest are read and no others."""
        rows = self.filter(created_at__gt=at)
        return rows.filter(id__gte=first_id(at - timedelta(minutes=1))) if at.year > FIRST_YEAR else rows

    def with_email(self, email: str) -> Self:
        return self.alias(email_folded=Lower("email")).filter(email_folded=normalize_email(email)).exclude(email="")


class Lead(models.Model):
    """A person who reached out to one source."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Both keys are composite in the database, with the organization: see the SQL migration.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="leads", db_constraint=False, db_index=False
    )
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True)
    phone = models.CharField(max_length=60, blank=True)  # as written
    phone_e164 = models.CharField(max_length=16, blank=True)  # empty when it could not be parsed
    address = models.CharField(max_length=LONG_TEXT, blank=True)
    unique_id = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=100, default="Lead")
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True)
    origin = models.CharField("source", max_length=200, blank=True)  # the API's free-text `source`
    source_url = models.CharField(max_length=2000, blank=True)
    opt_in = models.BooleanField(default=False)
    opt_in_transactional_sms = models.BooleanField(default=False)
    contact_captured_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True)  # a second conversation opened: no longer new
    # Created by "Send a test lead" for the tester's own address. It appears in no list, count or report.
    is_test = models.BooleanField(default=False, db_default=False)
    # Endpoints (lanes) that were not told of this lead, because their card waits for contact information.
    not_announced_to = ArrayField(models.UUIDField(), default=list, blank=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    erased_at = models.DateTimeField(null=True, blank=True)  # the person's data is gone, the row stays
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    last_message_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LeadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "source",
                Lower("email"),
                condition=~models.Q(email="") & models.Q(is_test=False),
                name="lead_email_unique_in_source",
            ),
            models.UniqueConstraint(
                fields=["source", "unique_id"],
                condition=~models.Q(unique_id=""),
                name="lead_unique_id_unique_in_source",
            ),
        ]
        indexes = [
            GinIndex(OpClass(SearchText(), name="gin_trgm_ops"), name="lead_words"),
            models.Index("organization", Lower("email"), condition=~models.Q(email=""), name="lead_by_email"),
            # Each filter of the API's list has one, so that a rare value is found without reading all leads. None
            # has last_message_at: every arrival writes it, and with an index on it would write all the others too.
            models.Index(fields=["organization", "-id"], name="lead_newest"),
            models.Index(fields=["source", "-id"], name="lead_newest_of_source"),
            models.Index(fields=["organization", "status", "-id"], name="lead_newest_of_status"),
            models.Index(
                fields=["organization", "-id"], condition=~models.Q(returned_at=None), name="lead_newest_returned"
            ),
            models.Index(fields=["organization", "updated_at"], name="lead_by_update"),
            models.Index(
                fields=["organization", "phone_e164"], condition=~models.Q(phone_e164=""), name="lead_by_phone_e164"
            ),
            models.Index(
                fields=["organization", "unique_id"], condition=~models.Q(unique_id=""), name="lead_by_unique_id"
            ),
            GinIndex(fields=["tags"], name="lead_by_tag"),
            models.Index(fields=["merged_into"], condition=~models.Q(merged_into=None), name="lead_merged_into"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("lead", self.pk)

    @property
    def name(self) -> str:
        """What a person calls this lead: a name, else the address, else the phone number."""
        return " ".join(filter(None, [self.first_name, self.last_name])) or self.email or self.phone or "Unknown lead"

    @property
    def is_new(self) -> bool:
        return self.returned_at is None

    @property
    def is_present(self) -> bool:
        return self.erased_at is None and self.merged_into_id is None

    @property
    def has_contact(self) -> bool:
        return bool(self.email or self.phone)

    def set_phone(self, text: str) -> None:
        """Keep a phone number as written, and as E.164 where it can be parsed."""
        self.phone, self.phone_e164 = text, normalize_phone(text)


def surviving_id(pk: UUID) -> Combinable:
    """This lead's id, or that of the one which it became part of: what was merged answers to both ids."""
    return Coalesce(models.Subquery(Lead.objects.filter(pk=pk).values("merged_into")), models.Value(pk))
