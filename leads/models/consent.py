"""What people do not want any more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Self
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts.models import Organization, User
from core.ids import encode, uuid7
from leads.models.leads import Lead
from messaging.addresses import normalize_email
from messaging.models import ChannelConnection


def digest_of(address: str) -> str:
    """What is kept of the address of an erased lead, so that its block holds if it ever writes again."""
    return f"sha256:{hashlib.sha256(address.encode()).hexdigest()}"


class OptOutQuerySet(models.QuerySet["OptOut"]):
    def in_force(self) -> Self:
        return self.filter(lifted_at=None)

    def of(self, lead: Lead) -> Self:
        """What this lead's addresses do not want, in the whole organization."""
        addresses = [address for address in (normalize_email(lead.email), lead.phone_e164) if address]
        return self.in_force().of_addresses(lead.organization_id, addresses)

    def of_addresses(self, organization_id: UUID, addresses: Iterable[str]) -> Self:
        """Also those whose address was erased: a digest of it is enough to keep the block."""
        both = [form for address in addresses for form in (address, digest_of(address))]
        return self.filter(organization=organization_id, address__in=both)


class OptOut(models.Model):
    """Somebody wants no more messages on a channel. Kept by address, so that it holds at every location."""

    class Reason(models.TextChoices):
        STOP = "stop", "Sent a STOP word"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribed"
        COMPLAINT = "complaint", "Complained"
        PERSON = "person", "Blocked by a person"
        BOUNCE = "bounce", "Hard bounce"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=10, choices=ChannelConnection.Kind.choices)
    address = models.CharField(max_length=254)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = OptOutQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "address", "channel"],
                condition=models.Q(lifted_at=None),
                name="opt_out_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.address} on {self.get_channel_display()}"

    @property
    def public_id(self) -> str:
        return encode("opt", self.pk)

    @property
    def is_of_an_erased_lead(self) -> bool:
        return self.address.startswith("sha256:")
