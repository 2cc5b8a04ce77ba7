"""What every card can do; the services know nothing else about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from django import forms
from rest_framework import serializers

from accounts.actors import Actor
from accounts.models import Source
from integrations.models import Card

C = TypeVar("C", bound=Card)

OPTIONS = ("needs_contact", "only_new_leads", "includes_source_name")  # that every card has


@dataclass(frozen=True)
class NewSecrets:
    """Fresh secrets, shown to a person this one time: label and value."""

    secrets: dict[str, str] = field(default_factory=dict)
    replaces: bool = False  # older ones stopped working


@dataclass(frozen=True)
class KeyShown:
    """What may be shown of a key at any time."""

    label: str
    masked: str
    made_at: datetime
    made_by: str
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Health:
    """How the traffic of a card goes, in words."""

    state: str  # none, ok, failing, stopped
    words: str
    detail: str = ""
    since: datetime | None = None
    next_at: datetime | None = None


@dataclass(frozen=True)
class ActivityRow:
    """One call or delivery of a card."""

    mark: str  # ok, warn, bad, off
    outcome: str
    words: str
    at: datetime
    url: str = ""


class CardKind(ABC, Generic[C]):
    """The particulars of one kind of card."""

    model: Any  # the card's model class; its manager is a CardQuerySet
    template: ClassVar[str]
    icon: ClassVar[str]
    check_label: ClassVar[str]
    summary: ClassVar[str]
    regenerate_label: ClassVar[str]
    regenerate_question: ClassVar[str]
    key_label: ClassVar[str]
    inherited: ClassVar[str]  # what a location uses of its parent's card, as people call it
    removed: ClassVar[str]  # what Disconnect removes, as the end of a sentence
    disconnected: ClassVar[str]  # what no longer happens after Disconnect
    next_step: ClassVar[str] = ""  # said after a good check, while the card is off
    cancels: ClassVar[str] = ""  # what of the card's work Disconnect cancels
    related: ClassVar[tuple[str, ...]] = ()  # rows that the state of a card is read from
    options: ClassVar[tuple[str, ...]] = OPTIONS  # switches
    set_up_fields: ClassVar[tuple[str, ...]] = ()  # what has to be given before there can be keys
    more_fields: ClassVar[tuple[str, ...]] = ()  # what else can be configured
    reveals: ClassVar[bool] = False  # its secrets can be seen again
    check_includes: ClassVar[str] = ""  # the selector of an input whose value goes along with Validate or Test

    @property
    def accessor(self) -> str:
        """The name of a source's card of this kind."""
        name: str = self.model._meta.model_name
        return name

    @abstractmethod
    def add_to(self, source: Source) -> None:
        """Give a new source its card, which is off."""

    def set_up_form(self, data: Mapping[str, Any]) -> forms.Form | None:
        """Return the form of what has to be given before there can be keys; None when nothing has to."""
        return None

    def unsaved_form(self, card: C, data: Mapping[str, Any]) -> forms.Form | None:
        """Return the form of settings that stand on the page and are not saved, if Validate sent some along."""
        return None

    def context(self, card: C, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what only this kind's template needs, given the values that every card has."""
        return {}

    def input_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields that only this kind takes in the API."""
        return {}

    def shown_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields that only this kind shows in the API."""
        return {}

    def shown_values(self, card: C, *, may_see_credential: bool) -> dict[str, Any]:
        """The values of these fields. What belongs to the parent is for those who may configure that one."""
        return {}

    def stops_at(self, card: C) -> datetime | None:
        """When a card is stopped that only fails, once people were warned of it."""
        return None

    @abstractmethod
    def make_credential(self, card: C, actor: Actor, overlap: timedelta | None) -> NewSecrets:
        """Make new keys. The old ones end now, or after `overlap`; a key already in overlap ends in any case."""

    @abstractmethod
    def clear_credential(self, card: C) -> str:
        """Remove the card's own keys. Return a masked word about them for the audit log."""

    @abstractmethod
    def end_overlap(self, card: C) -> None:
        """End the old key now."""

    def switch_header(self, card: C) -> None:
        """Show callers' systems the new key now, where a key is also sent in a header."""

    def hold(self, card: C) -> None:
        """The card was switched off."""

    def release(self, card: C) -> None:
        """The card was switched on."""

    def cancel(self, card: C) -> None:
        """The card was disconnected: drop what waits, and show it."""

    @abstractmethod
    def check(self, card: C, actor: Actor) -> None:
        """Try the connection, with the card on or off, and keep the result on the card."""

    def is_checking(self, card: C) -> bool:
        """True while a result is still to come."""
        return False

    @abstractmethod
    def keys(self, card: C) -> list[KeyShown]:
        """What may be shown of its keys at any time."""

    @abstractmethod
    def health(self, card: C) -> Health:
        """How its traffic goes."""

    @abstractmethod
    def activity(self, card: C) -> list[ActivityRow]:
        """The card's last calls or deliveries, newest first."""

    def activity_summary(self, card: C) -> str:
        return ""
