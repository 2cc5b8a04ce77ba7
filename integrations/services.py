"""What a person does with a card: set up, switch, inherit, regenerate, disconnect. Each locks, acts, and is audited.

Locks are taken from the parent down, so that two people at parent and location never wait for each other in a circle.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from core.problems import Refusal
from core.ssrf_guard import same_server, shown_url
from integrations.kinds import CardKind, NewSecrets
from integrations.models import Card, CardQuerySet
from integrations.registry import card_kinds

C = TypeVar("C", bound=Card)


def kind_of(card: Card) -> CardKind[Any]:
    return card_kinds()[card.slug]


def rows_of(card: Card) -> CardQuerySet[Any]:
    """All cards of this kind."""
    rows: CardQuerySet[Any] = kind_of(card).model.objects.all()
    return rows


def locked(card: C) -> C:
    """Read the card again, locked. Where it can inherit, its parent's card is locked first."""
    rows = rows_of(card).select_for_update(of=("self",)).select_related("source__parent")
    if card.source.parent_id:
        list(rows.filter(source=card.source.parent_id))
    fresh: C = rows.get(pk=card.pk)
    return fresh


@transaction.atomic
def set_up(*, card: Card, actor: Actor, **settings: Any) -> NewSecrets:
    """Make the first key, and keep what else the card's first step takes (the webhook's URL)."""
    card = locked(card)
    if card.has_credential:
        raise Refusal(409, "card.isSetUp", "This card is set up already.")
    _change(card, settings)
    secrets = kind_of(card).make_credential(card, actor, None)
    _clear_verification(card)
    _audit(card, actor, "set-up", after=_plain(settings))
    return secrets


@transaction.atomic
def switch(*, card: Card, on: bool, actor: Actor) -> None:
    """Turn a card on or off. Raise Refusal `card.notSetUp` when it has no credential."""
    card = locked(card)
    if on == card.is_enabled and not (on and getattr(card, "is_stopped", False)):
        return
    if on:
        if not card.is_set_up:
            raise not_set_up(card)
        card.switch_on(by=actor.user)
        kind_of(card).release(card)
    else:
        _off(card, actor)
    _audit(card, actor, "on" if on else "off", before={"enabled": not on}, after={"enabled": on})


def not_set_up(card: Card) -> Refusal:
    owner = card.credential_card
    if owner.pk != card.pk:
        return Refusal(409, "card.notSetUp", f"{owner.source} has no key yet, so there is nothing to inherit.")
    return Refusal(409, "card.notSetUp", "Create a key first, then you can turn this on.")


def _off(card: Card, actor: Actor, because: str = "") -> None:
    card.switch_off(by=actor.user, because=because)
    kind_of(card).hold(card)


@transaction.atomic
def set_inherits(*, card: Card, inherits: bool, actor: Actor) -> None:
    """Use the parent's credential, or the card's own again. Without one of them the card goes off."""
    card = locked(card)
    if not card.source.parent_id:
        raise Refusal(409, "card.noParent", "A business has no parent to inherit from.")
    if inherits == card.inherits:
        return
    card.inherits_at = timezone.now() if inherits else None
    card.save(update_fields=["inherits_at"])
    card.__dict__.pop("_credential_card", None)
    card.clear_verification()
    if card.is_enabled and not card.is_set_up:
        who = card.credential_card.source if inherits else "This location"
        _off(card, actor, f"{who} has no key of its own" if not inherits else f"{who} has no key yet")
    states = {"before": {"inherits": not inherits}, "after": {"inherits": inherits}}
    _audit(card, actor, "inherit" if inherits else "inherit-end", **states)


@transaction.atomic
def regenerate(*, card: Card, actor: Actor, overlap: timedelta | None = None) -> NewSecrets:
    """Make new keys on the card that owns the credential. The caller has checked the right to configure that one."""
    owner = locked(locked(card).credential_card)
    if not owner.has_credential:
        raise not_set_up(owner)
    before = _keys(owner)
    secrets = kind_of(owner).make_credential(owner, actor, overlap)
    _clear_verification(owner)
    hours = f"{overlap.total_seconds() / 3600:g} h" if overlap else "none"
    _audit(owner, actor, "regenerate", before=before, after={"overlap": hours, **_keys(owner)})
    return secrets


@transaction.atomic
def end_overlap(*, card: Card, actor: Actor) -> None:
    """The old key stops working now."""
    owner = locked(locked(card).credential_card)
    before = _keys(owner)
    kind_of(owner).end_overlap(owner)
    _audit(owner, actor, "overlap-end", before=before, after=_keys(owner))


@transaction.atomic
def switch_header(*, card: Card, actor: Actor) -> None:
    """Send the new secret key in the header from now on, while the signature still carries both."""
    owner = locked(locked(card).credential_card)
    kind_of(owner).switch_header(owner)
    _audit(owner, actor, "header-switch", before={"header": "old key"}, after={"header": "new key"})


@transaction.atomic
def disconnect(*, card: Card, actor: Actor) -> list[Card]:
    """Clear the credential and turn the card off; return the locations that went off with it.

    On an inheriting location this ends the inheritance and does not touch the parent. Options and history stay.
    """
    card = locked(card)
    before = {"enabled": card.is_enabled, "inherits": card.inherits}
    masked = kind_of(card).clear_credential(card)
    card.inherits_at = None
    card.save(update_fields=["inherits_at"])
    card.__dict__.pop("_credential_card", None)
    card.clear_verification()
    kind_of(card).cancel(card)
    _off(card, actor, "Disconnected")
    _audit(card, actor, "disconnect", before={**before, "credential": masked}, after={"enabled": False})
    return _turn_off_inheriting_cards(card, actor)


def _turn_off_inheriting_cards(card: Card, actor: Actor) -> list[Card]:
    turned_off = []
    for inheriting in inheriting_cards(card).select_for_update(of=("self",)).order_by("id"):
        inheriting.clear_verification()
        if inheriting.is_enabled:
            _off(inheriting, actor, f"{card.source} was disconnected")
            because = {"enabled": False, "because": f"{card.source} was disconnected"}
            _audit(inheriting, actor, "off", before={"enabled": True}, after=because)
            turned_off.append(inheriting)
    return turned_off


def inheriting_cards(card: C) -> Any:
    """The cards of locations that use this card's credential."""
    return rows_of(card).inheriting_from(card.source).select_related("source")


@transaction.atomic
def configure(*, card: Card, actor: Actor, **settings: Any) -> NewSecrets | None:
    """Change options, the event filter or the URL. A change of what is connected to ends *Verified*.

    Another server gets keys of its own, which are returned: the old ones would tell it how to speak for us elsewhere.
    """
    card = locked(card)
    before = {name: getattr(card, name) for name in settings}
    if before == settings:
        return None
    secrets = None
    _change(card, settings)
    if "url" in settings and before["url"] != settings["url"]:
        _clear_verification(card)
        if before["url"] and card.has_credential and not same_server(before["url"], settings["url"]):
            secrets = kind_of(card).make_credential(card, actor, None)
    new = {"keys": "new ones: another server"} if secrets else {}
    _audit(card, actor, "configure", before=_plain(before), after={**_plain(settings), **new})
    return secrets


@transaction.atomic
def check(*, card: Card, actor: Actor) -> None:
    """Validate or test the connection; never turns the card on."""
    card = locked(card)
    kind_of(card).check(card, actor)
    _audit(card, actor, "check")


def _clear_verification(card: Card) -> None:
    """*Verified* lapses here and at the locations that use this card's credential."""
    card.clear_verification()
    for inheriting in inheriting_cards(card).select_for_update(of=("self",)).order_by("id"):
        inheriting.clear_verification()


def _change(card: Card, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        setattr(card, name, value)
    if settings:
        card.save(update_fields=list(settings))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings for the audit log."""
    shown = dict(settings)
    if shown.get("url"):
        shown["url"] = shown_url(str(shown["url"]))
    return shown


def _keys(card: Card) -> dict[str, Any]:
    """The card's keys for the audit log, masked, with the day they were made and when they end."""
    keys = kind_of(card).keys(card)
    return {"keys": [f"{key.label} {key.masked}, made {key.made_at:%Y-%m-%d %H:%M:%S}" for key in keys]}


def _audit(card: Card, actor: Actor, action: str, **states: dict[str, Any]) -> None:
    actor.record(
        f"{card.slug}.{action}",
        organization=card.source.organization_id,
        target=card,
        source_id=card.source_id,
        **states,
    )
