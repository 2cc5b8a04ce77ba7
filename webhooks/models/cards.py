"""The REST Webhook card and its secrets."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.reach import reach_of
from accounts.rights import Right
from core.ids import uuid7
from core.overlaps import EndingQuerySet
from core.secrets import Secret, SecretField
from integrations.models import Card, CardQuerySet
from outbox.models import Lane
from webhooks.event_types import DEFAULT_TYPES, EventType
from webhooks.models.endpoints import Endpoint


class RestWebhook(Endpoint, Card):
    """Tells the business's own system about leads and messages."""

    slug, label, credentials = "rest-webhook", "REST Webhook", "secrets"
    is_ordered = True

    lane = models.OneToOneField(Lane, on_delete=models.PROTECT, related_name="rest_webhook")
    url = models.URLField("Webhook URL", max_length=2000, blank=True)
    event_types = ArrayField(models.CharField(max_length=40, choices=EventType.choices), default=DEFAULT_TYPES)
    sends_secret_header = models.BooleanField(
        "Send the secret key as X-Secret-Key",
        default=True,
        help_text="Turn off if your system only checks the signature.",
    )

    objects = CardQuerySet["RestWebhook"].as_manager()

    class Meta:
        verbose_name = "REST Webhook"

    @property
    def has_credential(self) -> bool:
        return bool(self.url) and any(secret.ends_at is None for secret in self.secrets.all())

    @property
    def title(self) -> str:
        return f"the REST Webhook of {self.source.name}"

    @property
    def owning_organization_id(self) -> UUID:
        return self.source.organization_id

    @property
    def home_source_id(self) -> UUID:
        return self.source_id

    @property
    def is_live(self) -> bool:
        return self.is_set_up

    @property
    def page_url(self) -> str:
        return reverse("integrations:integrations", args=[self.source_id])

    @property
    def replays_url(self) -> str:
        return reverse("webhooks:replays", args=[self.source_id])

    def events_filter(self) -> models.Q:
        return models.Q(organization_id=self.source.organization_id, source_id=self.source_id)

    def signing_secrets(self) -> list[tuple[Secret, bool]]:
        rows = sorted(self.credential_card.secrets.active(), key=lambda secret: secret.ends_at is not None)
        return [(secret.signing_secret, secret.ends_at is not None) for secret in rows]

    def may_configure(self, user: User) -> bool:
        return reach_of(user, Right.CONFIGURE).includes(self.source)

    def may_see_all(self, user: User) -> bool:
        return reach_of(user, Right.CONFIGURE).includes(self.credential_card.source)

    @property
    def endpoint_host(self) -> str:
        """The host of the URL in use: all of it that people of a location see of an inherited one."""
        parts = urlsplit(self.credential_card.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class WebhookSecret(models.Model):
    """The two secrets of a REST Webhook card. Neither can be derived from the other."""

    EXPIRES = "ends_at < now()"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    card = models.ForeignKey(RestWebhook, on_delete=models.CASCADE, related_name="secrets")
    header_secret = SecretField(editable=False)
    signing_secret = SecretField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    ends_at = models.DateTimeField(null=True, blank=True)
    header_ended_at = models.DateTimeField(null=True, blank=True)  # "switch now" was pressed in the overlap

    objects = EndingQuerySet["WebhookSecret"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card"], condition=models.Q(ends_at=None), name="secret_one_current"),
            models.UniqueConstraint(
                fields=["card"], condition=models.Q(ends_at__isnull=False), name="secret_one_overlapping"
            ),
        ]

    def __str__(self) -> str:
        return f"secrets of {self.card_id}"
