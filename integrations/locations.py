"""A business's locations on one of its cards: inherit, turn on and test many of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.models import Source
from accounts.reach import load, reach_of
from accounts.rights import Right
from core.ids import decode
from core.problems import Refusal
from integrations import services as cards
from integrations.models import Card
from integrations.registry import card_kinds

LOCATIONS_MAX = 500
ACTIONS = {"inherit": "Inherit", "enable": "Turn on", "disable": "Turn off", "test": "Test"}


@dataclass(frozen=True)
class LocationRow:
    """One location's card, and what came of the last action on it."""

    card: Card
    setup: tuple[str, str]  # mark and words
    health: Any
    said: str = ""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def locations(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """The table. POST: `action` for each of the `locations` that were ticked; each succeeds or is refused alone."""
    source = load(Source.objects.all(), request, source_id, Right.CONFIGURE)
    if slug not in card_kinds() or source.is_location:
        raise Http404
    said: dict[UUID, str] = {}
    if request.method == "POST" and request.POST.get("action") in ACTIONS:
        said = _act(request, source, slug, request.POST["action"])
    rows = [_row(card, said.get(card.source_id, "")) for card in _cards(request, source, slug)]
    values = {
        "source": source,
        "slug": slug,
        "label": card_kinds()[slug].model.label,
        "rows": rows,
        "actions": ACTIONS.items(),
    }
    return render(request, "integrations/locations_page.html", values)


def _cards(request: HttpRequest, source: Source, slug: str) -> list[Any]:
    """The cards of the locations that the person may configure."""
    model = card_kinds()[slug].model
    rows = (
        model.objects.with_credential_card()
        .select_related(*card_kinds()[slug].related)
        .prefetch_related(model.credentials)
    )
    reach = reach_of(request.user, Right.CONFIGURE).where(organization="source__organization_id", source="source_id")
    cards = list(rows.active().filter(reach, source__parent=source).order_by("source__name")[:LOCATIONS_MAX])
    parent = rows.get(source=source)
    for card in cards:
        card.use_parent(parent)
    return cards


def _act(request: HttpRequest, source: Source, slug: str, action: str) -> dict[UUID, str]:
    chosen = {decode("src", text) for text in request.POST.getlist("locations")}
    actor, said = Actor.of(request), {}
    for card in _cards(request, source, slug):
        if card.source_id not in chosen:
            continue
        try:
            if action == "inherit":
                cards.set_inherits(card=card, inherits=True, actor=actor)
            elif action == "test":
                cards.check(card=card, actor=actor)
            else:
                cards.switch(card=card, on=action == "enable", actor=actor)
        except Refusal as refusal:
            said[card.source_id] = str(refusal)
        else:
            said[card.source_id] = "Done"
    return said


def _row(card: Any, said: str) -> LocationRow:
    if not card.is_set_up:
        setup = ("off", "Not set up")
    else:
        setup = ("ok", "Verified") if card.is_verified else ("warn", "Not tested")
    return LocationRow(card, setup, card_kinds()[card.slug].health(card), said)
