"""Webhook subscriptions of an organization, beside the cards of its sources."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership, Organization, Source, User
from accounts.rights import Right
from core.ids import encode, uuid7
from core.overlaps import EndingQuerySet
from core.secrets import OptionalSecretField, Secret, SecretField
from outbox.models import Lane
from webhooks.event_types import EventType
from webhooks.models.endpoints import Endpoint

if TYPE_CHECKING:
    from api.callers import Caller


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def active(self) -> Self:
        return self.filter(deleted_at=None)

    def visible_to(self, viewer: User | AnonymousUser | Caller) -> Self:
        """Owners see all of their organization, managers those that they made, a token what its creator sees."""
        if isinstance(viewer, AnonymousUser):
            return self.none()
        mine = viewer.current_memberships if isinstance(viewer, User) else [viewer.creator] if viewer.creator else []
        own = [membership.organization_id for membership in mine if membership.may(Right.OWN)]
        created = [membership.pk for membership in mine if membership.may(Right.CONFIGURE)]
        return self.active().filter(models.Q(organization__in=own) | models.Q(creator__in=created))


class Subscription(Endpoint, models.Model):
    """One address that hears of what happens at the sources of an organization."""

    class Signature(models.TextChoices):
        SHARED = "v1", "v1: HMAC with a secret that both sides have"
        ASYMMETRIC = "v1a", "v1a: Ed25519, your system only needs our public key"

    needs_contact = only_new_leads = False  # the options of a card: a subscription hears of every lead

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="subscriptions")
    # A subscription hears of the sources that its creator sees, checked on every use. It stops when the creator may
    # no longer have it.
    creator = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="subscriptions")
    lane = models.OneToOneField(Lane, on_delete=models.PROTECT, related_name="subscription")
    name = models.CharField(max_length=100)
    url = models.URLField("URL", max_length=2000)
    event_types = ArrayField(models.CharField(max_length=40, choices=EventType.choices))
    # Of the creator's sources only these; a business includes its locations. Empty: all.
    source_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    is_ordered = models.BooleanField(
        "In order",
        default=True,
        help_text="The events of one conversation wait for each other. Off: each goes out at once.",
    )
    includes_source_name = models.BooleanField(
        "Include source name", default=True, help_text="Adds the source's name to each lead."
    )
    signature = models.CharField(max_length=3, choices=Signature.choices, default=Signature.SHARED)
    header_names = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    headers = OptionalSecretField(null=True, editable=False)  # JSON: the name and value of each custom header
    basic_username = models.CharField("User name", max_length=200, blank=True)
    basic_password = OptionalSecretField(null=True, editable=False)
    client_certificate = models.TextField(blank=True)  # PEM
    client_key = OptionalSecretField(null=True, editable=False)  # PEM
    enabled_at = models.DateTimeField(null=True, blank=True)
    last_check = models.JSONField(null=True, blank=True)  # {"ok", "title", "detail", "at", "delivery"}
    verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "-id"], condition=models.Q(deleted_at=None), name="subscription_newest"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("wh", self.pk)

    @property
    def title(self) -> str:
        return f"the webhook {self.name}"

    @property
    def owning_organization_id(self) -> UUID:
        return self.organization_id

    @property
    def endpoint_host(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def page_url(self) -> str:
        return reverse("webhooks:webhook", args=[self.pk])

    @property
    def replays_url(self) -> str:
        return reverse("webhooks:webhook-replays", args=[self.pk])

    @property
    def is_orphaned(self) -> bool:
        """Its creator left, or may no longer make such webhooks. An owner may take it over."""
        return not (self.creator.is_current and self.creator.may(Right.CONFIGURE))

    @property
    def is_live(self) -> bool:
        return self.deleted_at is None and not self.is_orphaned

    @property
    def is_enabled(self) -> bool:
        return self.enabled_at is not None

    @property
    def status(self) -> str:
        """`enabled`, `disabled` by a person, or `stopped` by us."""
        if not self.is_enabled:
            return "disabled"
        return "stopped" if self.is_stopped or self.is_orphaned else "enabled"

    @property
    def stopped_because(self) -> str:
        if self.is_orphaned:
            return "Its creator left, or may no longer make webhooks"
        return str(self.lane.stopped_because)

    @property
    def live_secrets(self) -> list[SubscriptionSecret]:
        """Those in force, the current one first."""
        live = [secret for secret in self.secrets.all() if secret.ends_at is None or secret.ends_at > timezone.now()]
        return sorted(live, key=lambda secret: secret.ends_at is not None)

    @property
    def overlap_ends_at(self) -> datetime | None:
        return next((secret.ends_at for secret in self.live_secrets if secret.ends_at), None)

    def events_filter(self) -> models.Q:
        where = models.Q(organization_id=self.organization_id)
        if self.creator.is_limited:
            where &= models.Q(source_id__in=self.creator.source_ids)
        if self.source_ids:
            named = models.Q(pk__in=self.source_ids) | models.Q(parent__in=self.source_ids)
            where &= models.Q(source_id__in=list(Source.objects.filter(named).values_list("pk", flat=True)))
        return where

    def signing_secrets(self) -> list[tuple[Secret, bool]]:
        return [(secret.signing_secret, secret.ends_at is not None) for secret in self.live_secrets]

    def may_configure(self, user: User) -> bool:
        return Subscription.objects.visible_to(user).filter(pk=self.pk).exists()

    def sources_named(self) -> models.QuerySet[Source]:
        return Source.objects.filter(pk__in=self.source_ids).order_by("name")


class SubscriptionSecret(models.Model):
    """What a subscription signs with. `ends_at` is set while a newer one overlaps it."""

    EXPIRES = "ends_at < now()"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="secrets")
    signing_secret = SecretField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = EndingQuerySet["SubscriptionSecret"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"], condition=models.Q(ends_at=None), name="subscription_one_current"
            ),
            models.UniqueConstraint(
                fields=["subscription"], condition=models.Q(ends_at__isnull=False), name="subscription_one_overlapping"
            ),
        ]

    def __str__(self) -> str:
        return f"secret of {self.subscription_id}"
