"""What the card of one page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Source, User
from accounts.reach import reach_of
from accounts.rights import Right
from integrations.kinds import OPTIONS, ActivityRow, CardKind, Health, KeyShown
from integrations.models import Card
from integrations.services import inheriting_cards, kind_of, rows_of


@dataclass(frozen=True)
class Option:
    name: str
    label: str
    help: str
    is_on: bool


@dataclass(frozen=True)
class CardView:
    """One card, as one person sees it."""

    card: Any
    kind: CardKind[Any]
    credential_card: Any
    may_configure: bool
    may_configure_credential: bool
    may_configure_parent: bool
    is_set_up: bool
    health: Health
    keys: list[KeyShown]
    options: list[Option]
    activity: list[ActivityRow]
    activity_summary: str
    inheriting_cards: list[Any]
    siblings: int  # other locations that inherit the same credential
    is_checking: bool

    @property
    def dom_id(self) -> str:
        return f"card-{self.card.slug}"

    @property
    def headline(self) -> tuple[str, str]:
        """The state of the card in one pill: mark and words."""
        if not self.is_set_up:
            return "off", "Not set up"
        if self.health.state == "stopped":
            return "bad", "Stopped"
        if not self.card.is_enabled:
            return self._tested if self._tested[0] == "bad" else ("off", "Off")
        if self.health.state in ("failing", "ok"):
            return self.health_mark, self.health.words
        return self._tested if self._tested[0] == "bad" else ("ok", "On")

    @property
    def _tested(self) -> tuple[str, str]:
        check = self.card.last_check or {}
        if self.card.is_verified or self._has_worked_with_its_keys:
            return "ok", "Verified"
        return ("bad", "Test failed") if check.get("ok") is False else ("off", "Not tested yet")

    @property
    def setup_words(self) -> str:
        """Whether the connection is known to work; "" where the headline says it, or there is none."""
        mark, words = self._tested
        has_traffic = self.health.state != "none"  # that says more than that nobody has tried it
        return words if self.is_set_up and words != self.headline[1] and (mark == "ok" or not has_traffic) else ""

    @property
    def _has_worked_with_its_keys(self) -> bool:
        """True when something arrived since the keys were made: that proves as much as a test."""
        created = [key.made_at for key in self.keys if key.ends_at is None]
        return bool(self.health.state == "ok" and self.health.since and created and self.health.since > max(created))

    @property
    def can_disconnect(self) -> bool:
        """True while there is something to disconnect: an own credential, or an inheritance."""
        return bool(self.card.inherits or self.card.has_credential)

    @property
    def may_turn_inherit_on(self) -> bool:
        return self.may_configure and self.may_configure_parent

    @property
    def inherit_help(self) -> str:
        parent = self.card.source.parent
        if not self.may_configure_parent:
            return f"Needs the right to configure {parent}."
        others = f", as {self.siblings} other locations do" if self.siblings > 1 else ""
        stops = " This location's own key stops working." if self.is_set_up else ""
        return f"Use {parent}'s key{others}.{stops}"

    @property
    def inherited_help(self) -> str:
        return f"Uses {self.card.source.parent}'s {self.kind.inherited}."

    @property
    def overlap_ends_at(self) -> datetime | None:
        return next((key.ends_at for key in self.keys if key.ends_at), None)

    @property
    def checked_at(self) -> datetime | None:
        check = self.card.last_check or {}
        return datetime.fromisoformat(check["at"]) if "at" in check else None

    @property
    def regenerate_dialog(self) -> str:
        return f"{self.card.slug}-regenerate"

    @property
    def disconnect_dialog(self) -> str:
        return f"{self.card.slug}-disconnect"

    @property
    def health_mark(self) -> str:
        return {"none": "off", "ok": "ok", "failing": "bad", "stopped": "bad"}[self.health.state]

    @property
    def stops_at(self) -> datetime | None:
        """When a card is stopped that only fails, once people were warned of it."""
        return self.kind.stops_at(self.card)

    @property
    def stopped_inheriting_cards(self) -> list[Any]:
        return [inheriting for inheriting in self.inheriting_cards if getattr(inheriting, "is_stopped", False)]

    @property
    def inheriting_names(self) -> str:
        """The names of the locations that inherit this card."""
        return ", ".join(inheriting.source.name for inheriting in self.inheriting_cards)

    @property
    def has_overlap(self) -> bool:
        return any(key.ends_at for key in self.keys)


def view_card(card: Card, user: User) -> CardView:
    """Collect what a card shows. The owner's details stay with those who may configure the owner."""
    kind, owner = kind_of(card), card.credential_card
    mine, full = reach_of(user, Right.CONFIGURE), owner.pk == card.pk
    may_owner = mine.includes(owner.source)
    inheriting = (
        list(inheriting_cards(owner).active().select_related(*kind.related))
        if owner.source.kind == Source.Kind.BUSINESS
        else []
    )
    return CardView(
        card=card,
        kind=kind,
        credential_card=owner,
        may_configure=mine.includes(card.source),
        may_configure_credential=may_owner,
        may_configure_parent=bool(card.source.parent and mine.includes(card.source.parent)),
        is_set_up=card.is_set_up,
        health=kind.health(card),
        keys=kind.keys(owner) if full or may_owner else [],
        options=[_option(card, name) for name in OPTIONS],
        activity=kind.activity(card),
        activity_summary=kind.activity_summary(card),
        inheriting_cards=inheriting if full else [],
        siblings=_siblings(card),
        is_checking=kind.is_checking(card),
    )


def _option(card: Card, name: str) -> Option:
    column: Any = card._meta.get_field(name)
    return Option(name, str(column.verbose_name), str(column.help_text), getattr(card, name))


def _siblings(card: Card) -> int:
    """How many other locations use the parent's credential."""
    parent = card.source.parent
    if parent is None:
        return 0
    return rows_of(card).inheriting_from(parent).active().exclude(pk=card.pk).count()
