"""Channel connections: configured ways out to leads and in from them."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import Organization, Source
from accounts.reach import ReachQuerySet
from core.ids import ALPHABET
from outbox.models import Lane

LOCAL_PART_LENGTH = 12


def make_local_part() -> str:
    """Return the unguessable left side of a source's own mail address."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LOCAL_PART_LENGTH))


class ChannelConnectionQuerySet(ReachQuerySet["ChannelConnection"]):
    pass


class ChannelConnection(models.Model):
    """One way out to the leads of a source and in from them."""

    class Kind(models.TextChoices):
        EMAIL = "email", "Email"
        SMS = "sms", "SMS"
        WHATSAPP = "whatsapp", "WhatsApp"
        WEBSITE = "website", "Website form"

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="connections")
    lane = models.OneToOneField(Lane, on_delete=models.PROTECT, related_name="connection")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=100, help_text="Leads see it as the sender's name in mail.")
    local_part = models.CharField(max_length=64, blank=True)
    default_at = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ChannelConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source"], condition=models.Q(default_at__isnull=False), name="connection_one_default"
            ),
            models.UniqueConstraint(
                fields=["local_part"], condition=~models.Q(local_part=""), name="connection_local_part_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_connected(self) -> bool:
        return self.disconnected_at is None

    @property
    def is_default(self) -> bool:
        return self.default_at is not None

    @property
    def address(self) -> str:
        """The mail address of this connection; empty for other kinds."""
        return f"{self.local_part}@{settings.MAIL_DOMAIN}" if self.local_part else ""

    def address_with(self, token: str) -> str:
        """The mail address with a token that says to what an answer belongs (RFC 5233): `local_part+token@domain`."""
        return f"{self.local_part}+{token}@{settings.MAIL_DOMAIN}"
