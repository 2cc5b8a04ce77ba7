"""The integration cards of a source: one row for each card, made with the source."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import Right, User
from core.ids import uuid7
from core.secrets import Secret
from integrations.access import ReachQuerySet, reach_of
from integrations.event_types import DEFAULT_TYPES, EventType
from integrations.models.listening import Listener
from integrations.models.outbox import Lane
from integrations.models.sources import Source

C = TypeVar("C", bound="Card")


class CardQuerySet(ReachQuerySet[C]):
    organization_column = "source__organization_id"

    def inheriting_from(self, source: Source) -> Self:
        """The locations' cards that use this one's credential, those of archived locations too: they may come back."""
        return self.filter(source__parent=source).exclude(inherits_at=None)

    def in_use(self) -> Self:
        return self.filter(source__archived_at=None)

    def with_owner(self) -> Self:
        return self.select_related("source__parent", "source__organization", "switched_by")


class Card(models.Model):
    """One integration's settings on one source."""

    slug: ClassVar[str]
    label: ClassVar[str]
    credentials: ClassVar[str]  # the name of its rows of keys

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.OneToOneField(Source, on_delete=models.PROTECT, related_name="%(class)s")
    enabled_at = models.DateTimeField(null=True, blank=True)
    switched_at = models.DateTimeField(null=True, blank=True)
    switched_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    switched_because = models.CharField(max_length=300, blank=True)
    inherits_at = models.DateTimeField("inherits from parent since", null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    last_check = models.JSONField(null=True, blank=True)  # {"ok", "title", "detail", "at"}
    needs_contact = models.BooleanField(
        "Create customer only when contact info is captured",
        default=False,
        help_text="Wait until we know a phone number or email.",
    )
    only_new_leads = models.BooleanField(
        "Create only for new leads", default=False, help_text="Don't report returning leads as new."
    )
    includes_source_name = models.BooleanField(
        "Include source name", default=False, help_text="Adds the source's name to each lead."
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.label} of {self.source}"

    @property
    def is_enabled(self) -> bool:
        return self.enabled_at is not None

    @property
    def inherits(self) -> bool:
        return self.inherits_at is not None

    @property
    def is_verified(self) -> bool:
        return self.verified_at is not None

    @property
    def owner(self) -> Self:
        """The card whose credential this one uses: the parent's while it inherits, else itself."""
        if not (self.inherits and self.source.parent_id):
            return self
        if not hasattr(self, "_owner"):
            self._owner = type(self)._default_manager.select_related("source").get(source=self.source.parent_id)
        return self._owner

    def read_owner(self, parent: Self) -> None:
        """Take the parent's card, where it inherits, from one that is read already."""
        if self.inherits and self.source.parent_id == parent.source_id:
            self._owner = parent

    @property
    def has_credential(self) -> bool:
        """True with keys of its own. Each kind of card says so; models leave no room for ABC's metaclass."""
        raise NotImplementedError

    @property
    def is_set_up(self) -> bool:
        return self.owner.has_credential

    def switch_on(self, *, by: User | None) -> None:
        self._switch(timezone.now(), by, "")

    def switch_off(self, *, by: User | None, because: str = "") -> None:
        self._switch(None, by, because)

    def _switch(self, enabled_at: datetime | None, by: User | None, because: str) -> None:
        self.enabled_at, self.switched_at, self.switched_by = enabled_at, timezone.now(), by
        self.switched_because = because[:300]
        self.save(update_fields=["enabled_at", "switched_at", "switched_by", "switched_because"])

    def lapse(self) -> None:
        """Forget that the connection was verified: its URL, key or inheritance changed."""
        self.verified_at = self.last_check = None
        self.save(update_fields=["verified_at", "last_check"])

    def keep_check(self, *, ok: bool, title: str, detail: str) -> None:
        """Keep the result of Validate or Test as the card's last one."""
        now = timezone.now()
        self.last_check = {"ok": ok, "title": title, "detail": detail, "at": now.isoformat()}
        self.verified_at = now if ok else None
        self.save(update_fields=["last_check", "verified_at"])


class RestWebhook(Listener, Card):
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
        return bool(self.url) and any(one.ends_at is None for one in self.secrets.all())

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
        return reverse("integrations:replays", args=[self.source_id])

    def hears_of(self) -> models.Q:
        return models.Q(organization_id=self.source.organization_id, source_id=self.source_id)

    def signing_secrets(self) -> list[tuple[Secret, bool]]:
        rows = sorted(self.owner.secrets.live(), key=lambda one: one.ends_at is not None)
        return [(one.signing_secret, one.ends_at is not None) for one in rows]

    def may_configure(self, user: User) -> bool:
        return reach_of(user, Right.CONFIGURE).includes(self.source)

    def may_see_all(self, user: User) -> bool:
        return reach_of(user, Right.CONFIGURE).includes(self.owner.source)

    @property
    def endpoint_host(self) -> str:
        """The host of the URL in use: all of it that people of a location see of an inherited one."""
        parts = urlsplit(self.owner.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class LeadReplyApi(Card):
    """Lets the business's own system answer leads."""

    slug, label, credentials = "lead-reply-api", "Lead Reply API", "keys"

    objects = CardQuerySet["LeadReplyApi"].as_manager()

    class Meta:
        verbose_name = "Lead Reply API"
        verbose_name_plural = "Lead Reply APIs"

    @property
    def has_credential(self) -> bool:
        return any(one.ends_at is None for one in self.keys.all())
