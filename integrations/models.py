"""What every card has."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self, TypeVar

from django.db import models
from django.utils import timezone

from accounts.models import Source, User
from accounts.reach import ReachQuerySet
from core.ids import uuid7

C = TypeVar("C", bound="Card")


class CardQuerySet(ReachQuerySet[C]):
    organization_column = "source__organization_id"

    def inheriting_from(self, source: Source) -> Self:
        """The locations' cards that use this one's credential, those of archived locations too: they may come back."""
        return self.filter(source__parent=source).exclude(inherits_at=None)

    def active(self) -> Self:
        return self.filter(source__archived_at=None)

    def with_credential_card(self) -> Self:
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
    def credential_card(self) -> Self:
        """The card whose credential this one uses: the parent's while it inherits, else itself."""
        if not (self.inherits and self.source.parent_id):
            return self
        if not hasattr(self, "_credential_card"):
            self._credential_card = (
                type(self)._default_manager.select_related("source").get(source=self.source.parent_id)
            )
        return self._credential_card

    def use_parent(self, parent: Self) -> None:
        """Take the parent's card, where it inherits, from one that is read already."""
        if self.inherits and self.source.parent_id == parent.source_id:
            self._credential_card = parent

    @property
    def has_credential(self) -> bool:
        """True with keys of its own. Each kind of card says so; models leave no room for ABC's metaclass."""
        raise NotImplementedError

    @property
    def is_set_up(self) -> bool:
        return self.credential_card.has_credential

    def switch_on(self, *, by: User | None) -> None:
        self._switch(timezone.now(), by, "")

    def switch_off(self, *, by: User | None, because: str = "") -> None:
        self._switch(None, by, because)

    def _switch(self, enabled_at: datetime | None, by: User | None, because: str) -> None:
        self.enabled_at, self.switched_at, self.switched_by = enabled_at, timezone.now(), by
        self.switched_because = because[:300]
        self.save(update_fields=["enabled_at", "switched_at", "switched_by", "switched_because"])

    def clear_verification(self) -> None:
        """Forget that the connection was verified: its URL, key or inheritance changed."""
        self.verified_at = self.last_check = None
        self.save(update_fields=["verified_at", "last_check"])

    def record_check(self, *, ok: bool, title: str, detail: str) -> None:
        """Keep the result of Validate or Test as the card's last one."""
        now = timezone.now()
        self.last_check = {"ok": ok, "title": title, "detail": detail, "at": now.isoformat()}
        self.verified_at = now if ok else None
        self.save(update_fields=["last_check", "verified_at"])
