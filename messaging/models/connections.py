"""Channel connections: configured ways out to leads and in from them, and which sources use them."""

from __future__ import annotations

import secrets
from typing import Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import Organization, Source
from accounts.reach import ReachQuerySet, Viewer, reach_of
from accounts.rights import Right
from core.ids import ALPHABET
from outbox.models import Lane

LOCAL_PART_LENGTH = 12
RETURNED = "b."  # before the id of a message, in the token of the address to which a mail about it comes back
CALLBACK_TOKEN_LENGTH = 26


def make_local_part() -> str:
    """Return the unguessable left side of a source's own mail address."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LOCAL_PART_LENGTH))


def make_callback_token() -> str:
    """Return the unguessable part of the address at which a provider calls us for one connection."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CALLBACK_TOKEN_LENGTH))


class ChannelConnectionQuerySet(ReachQuerySet["ChannelConnection"]):
    def active(self) -> Self:
        return self.filter(removed_at=None)

    def visible_to(self, viewer: Viewer | AnonymousUser, right: Right = Right.READ) -> Self:
        """Those whose home the viewer reaches with the right, and, to read, those that a source in reach uses."""
        reach = reach_of(viewer, right)
        at_home = reach.where(organization="organization_id", source="source_id")
        if right is not Right.READ or not reach.source_ids:
            return self.filter(at_home)
        used = UsableConnection.objects.filter(connection=OuterRef("pk"), source__in=reach.source_ids)
        return self.filter(at_home | Q(Exists(used)))


class ChannelConnection(models.Model):
    """A way out to leads and in from them. It belongs to an organization, and sources use it."""

    class Kind(models.TextChoices):
        EMAIL = "email", "Email"
        SMS = "sms", "SMS"
        WHATSAPP = "whatsapp", "WhatsApp"
        WEBSITE = "website", "Website form"

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    # Its home: what comes from people whom no source has written to by this connection arrives there.
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="connections")
    lane = models.OneToOneField(Lane, on_delete=models.PROTECT, related_name="connection")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    provider = models.CharField(max_length=20)  # messaging/registry.py
    name = models.CharField(max_length=100, help_text="Leads see it as the sender's name in mail.")
    local_part = models.CharField(max_length=64, blank=True)
    own_address = models.CharField(max_length=320, blank=True)  # at the provider: a phone number (E.164) or a mailbox
    callback_token = models.CharField(max_length=64, blank=True)
    last_check = models.JSONField(null=True, blank=True)  # {"ok", "title", "detail", "at"}
    last_inbound_at = models.DateTimeField(null=True, blank=True)  # the provider's last call; once a minute
    disconnected_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ChannelConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["local_part"], condition=~models.Q(local_part=""), name="connection_local_part_unique"
            ),
            models.UniqueConstraint(
                fields=["callback_token"], condition=~models.Q(callback_token=""), name="connection_callback_unique"
            ),
        ]
        indexes = [models.Index(fields=["organization", "kind"], name="connection_of_kind")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_connected(self) -> bool:
        return self.disconnected_at is None

    @property
    def is_built_in(self) -> bool:
        """True for the mail address and the website form that every source has without any set-up."""
        return not self.callback_token

    @property
    def address(self) -> str:
        """What leads see: the mail address or the phone number; empty for a form."""
        return f"{self.local_part}@{settings.MAIL_DOMAIN}" if self.local_part else self.own_address

    def address_with(self, token: str) -> str:
        """The mail address with a token that says to what an answer belongs (RFC 5233): `local_part+token@domain`."""
        return f"{self.local_part}+{token}@{settings.MAIL_DOMAIN}"

    @property
    def callback_url(self) -> str:
        """Where the provider calls us; empty for a built-in one."""
        return f"{settings.BASE_URL}/channels/{self.callback_token}/" if self.callback_token else ""


class SourceConnection(models.Model):
    """A source uses a connection."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="source_connections")
    connection = models.ForeignKey(ChannelConnection, on_delete=models.CASCADE, related_name="source_connections")
    organization_id = models.UUIDField()  # of both: see the SQL migration
    kind = models.CharField(max_length=10, choices=ChannelConnection.Kind.choices)  # of the connection
    default_at = models.DateTimeField(null=True, blank=True)  # what answers go by when nothing else says which

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "connection"], name="source_connection_once"),
            models.UniqueConstraint(
                fields=["source", "kind"], condition=Q(default_at__isnull=False), name="source_one_default"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} at {self.source_id}"


class UsableConnection(models.Model):
    """A connection that a source can use: its own, and of each kind of which it has no account, its parent's accounts.

    A view of the database: the page, the API, replies and automation read the one rule there.
    """

    pk = models.CompositePrimaryKey("source", "connection")
    source = models.ForeignKey(Source, on_delete=models.DO_NOTHING, related_name="usable_connections")
    connection = models.ForeignKey(ChannelConnection, on_delete=models.DO_NOTHING, related_name="usable_at")
    kind = models.CharField(max_length=10, choices=ChannelConnection.Kind.choices)
    default_at = models.DateTimeField(null=True)
    owner = models.ForeignKey(Source, on_delete=models.DO_NOTHING, related_name="+")  # the source, or its parent

    class Meta:
        managed = False
        ordering = ["connection_id"]

    @property
    def is_default(self) -> bool:
        return self.default_at is not None

    @property
    def is_inherited(self) -> bool:
        return bool(self.owner_id != self.source_id)


def usable_by(source_id: UUID) -> models.QuerySet[UsableConnection]:
    """The connections that a source can use, defaults first."""
    rows = UsableConnection.objects.filter(source=source_id).select_related("connection__lane", "owner")
    return rows.order_by(models.F("default_at").asc(nulls_last=True), "connection_id")
