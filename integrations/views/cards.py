"""The Integrations tab. Every action answers with its card: alone for HTMX, in the whole page without."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Right
from core.overlaps import OVERLAPS
from core.problems import Refusal
from core.secrets import Unreadable
from integrations.access import load, reach_of
from integrations.cards import CARDS
from integrations.cards.base import Made
from integrations.forms import EventTypesForm, WebhookUrlForm
from integrations.models import Card, RestWebhook, Source
from integrations.selectors import view_card
from integrations.services import cards
from integrations.snippets import snippets


@login_required
@require_safe
def integrations(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """The tab with all cards."""
    return _page(request, load(Source.objects.select_related("parent"), request, source_id))


@login_required
@require_safe
def card(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """One card, for what polls."""
    return _answer(request, _load(request, source_id, slug, Right.READ), keeps_made=True)


@login_required
@require_POST
def card_set_up(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = _load(request, source_id, slug)
    settings: dict[str, Any] = {}
    if isinstance(card, RestWebhook):
        form = WebhookUrlForm(request.POST)
        if not form.is_valid():
            return _answer(request, card, url_form=form)
        settings = form.cleaned_data
    return _do(request, card, lambda actor: cards.set_up(card=card, actor=actor, **settings))


@login_required
@require_POST
def card_switch(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    card, on = _load(request, source_id, slug), request.POST.get("on") == "1"
    said = f"{card.label} is {'on' if on else 'off'}."
    return _do(request, card, lambda actor: cards.switch(card=card, on=on, actor=actor), keeps_made=True, said=said)


@login_required
@require_POST
def card_inherits(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """Turning Inherit on takes the right to configure the parent, whose credential is then used here."""
    card = _load(request, source_id, slug)
    inherits = request.POST.get("on") == "1"
    if inherits and card.source.parent:
        _require_configure(request, card.source.parent)
    return _do(request, card, lambda actor: cards.set_inherits(card=card, inherits=inherits, actor=actor))


@login_required
@require_POST
def card_options(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = _load(request, source_id, slug)
    names = (*cards.OPTIONS, "sends_secret_header") if isinstance(card, RestWebhook) else cards.OPTIONS
    changed = {name: request.POST[name] == "1" for name in names if name in request.POST}
    return _do(request, card, lambda actor: cards.configure(card=card, actor=actor, **changed), keeps_made=True)


@login_required
@require_POST
def card_settings(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """The webhook's URL and its event filter."""
    card = _load(request, source_id, slug)
    if not isinstance(card, RestWebhook):
        raise Http404
    if "url" in request.POST:
        if card.inherits:
            _require_configure(request, card.owner.source)
        form = WebhookUrlForm(request.POST)
        if not form.is_valid():
            return _answer(request, card, url_form=form, keeps_made=True)
        return _do(request, card, lambda actor: cards.configure(card=card.owner, actor=actor, **form.cleaned_data))
    events = EventTypesForm(request.POST)
    if not events.is_valid():
        return _answer(request, card, events_form=events, keeps_made=True)
    return _do(
        request, card, lambda actor: cards.configure(card=card, actor=actor, **events.cleaned_data), keeps_made=True
    )


@login_required
@require_POST
def card_check(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """Try the connection. A URL that was typed and not saved is saved first: it is the one to be tried."""
    card = _load(request, source_id, slug)
    if isinstance(card, RestWebhook) and "url" in request.POST and not card.inherits:
        form = WebhookUrlForm(request.POST)
        if not form.is_valid():
            return _answer(request, card, url_form=form, keeps_made=True)
        if form.cleaned_data["url"] != card.url:
            made = cards.configure(card=card, actor=Actor.of(request), url=form.cleaned_data["url"])
            card = _load(request, source_id, slug)
            cards.check(card=card, actor=Actor.of(request))
            return _answer(request, card, made=made, keeps_made=made is None)
    return _do(request, card, lambda actor: cards.check(card=card, actor=actor), keeps_made=True)


@login_required
@require_POST
def card_regenerate(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """New keys, on the card that owns them."""
    card = _load(request, source_id, slug)
    _require_configure(request, card.owner.source)
    overlap = OVERLAPS.get(request.POST.get("overlap", ""))
    return _do(request, card, lambda actor: cards.regenerate(card=card, actor=actor, overlap=overlap))


@login_required
@require_POST
def card_end_overlap(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """End the old key now, or (button "header") only stop sending it in the header."""
    card = _load(request, source_id, slug)
    _require_configure(request, card.owner.source)
    end = cards.switch_header if "header" in request.POST else cards.end_overlap
    return _do(request, card, lambda actor: end(card=card, actor=actor))


@login_required
@require_POST
def card_disconnect(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = _load(request, source_id, slug)
    try:
        turned_off = cards.disconnect(card=card, actor=Actor.of(request))
    except Refusal as refusal:
        return _answer(request, card, error=str(refusal))
    return _answer(request, card, turned_off=turned_off, is_disconnected=True)


@login_required
@require_safe
def card_secrets(request: HttpRequest, source_id: UUID, slug: str) -> HttpResponse:
    """The webhook's secrets in full, for who may configure the card that owns them."""
    card = _load(request, source_id, slug)
    if not isinstance(card, RestWebhook):
        raise Http404  # of a Lead Reply API key only the hash is kept
    _require_configure(request, card.owner.source)
    response: HttpResponse = _reveal(request, card)
    return response


@never_cache
@reauthentication_required
def _reveal(request: HttpRequest, card: RestWebhook) -> HttpResponse:
    """Show the secrets after the person proved themselves again, by any of their factors."""
    owner = card.owner
    Actor.of(request).record(
        "rest-webhook.reveal",
        organization=owner.source.organization_id,
        target=owner,
        source_id=owner.source_id,
    )
    rows = sorted(owner.secrets.live(), key=lambda one: one.ends_at is not None)
    try:
        for row in rows:
            row.header_secret.reveal(), row.signing_secret.reveal()
    except Unreadable as error:
        messages.error(request, f"{error} Regenerate the keys, or ask the operator to put the lost one back.")
        rows = []
    return render(request, "integrations/secrets_page.html", {"source": card.source, "owner": owner, "rows": rows})


def _load(request: HttpRequest, source_id: UUID, slug: str, right: Right = Right.CONFIGURE) -> Card:
    if slug not in CARDS:
        raise Http404
    source = load(Source.objects.select_related("parent"), request, source_id, right)
    if source.is_archived and right is not Right.READ:
        raise PermissionDenied("This source is archived. Restore it first.")
    card: Card = CARDS[slug].model.objects.with_owner().get(source=source)
    return card


def _require_configure(request: HttpRequest, source: Source) -> None:
    if not reach_of(request.user, Right.CONFIGURE).includes(source):
        raise PermissionDenied(f"This needs the right to configure {source}.")


def _do(request: HttpRequest, card: Card, action: Any, *, keeps_made: bool = False, said: str = "") -> HttpResponse:
    """Run one action and answer with the card as it is afterwards.

    `said`: what screen readers hear. `keeps_made`: a fresh key that stands on the page stays there, so that who turns
    the card on can still copy it.
    """
    try:
        made = action(Actor.of(request))
    except Refusal as refusal:
        return _answer(request, card, error=str(refusal), keeps_made=True)
    return _answer(request, card, made=made if isinstance(made, Made) else None, keeps_made=keeps_made, said=said)


def _answer(request: HttpRequest, card: Card, **more: Any) -> HttpResponse:
    fresh = cards.rows_of(card).with_owner().get(pk=card.pk)
    if not request.htmx:  # type: ignore[attr-defined]
        if request.method == "POST" and not any(
            value for name, value in more.items() if name not in ("keeps_made", "said")
        ):
            return redirect("integrations:integrations", fresh.source_id)
        return _page(request, fresh.source, {fresh.slug: more})
    response = render(request, CARDS[fresh.slug].template, _values(request, fresh, **more))
    response["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, source: Source, more: dict[str, dict[str, Any]] | None = None) -> HttpResponse:
    shown = [
        _values(request, kind.model.objects.with_owner().get(source=source), **(more or {}).get(slug, {}))
        for slug, kind in CARDS.items()
    ]
    may_test = not source.is_archived and reach_of(request.user, Right.CONFIGURE).includes(source)
    response = render(
        request, "integrations/integrations_page.html", {"source": source, "cards": shown, "may_test": may_test}
    )
    response["Cache-Control"] = "no-store"
    return response


def _values(request: HttpRequest, card: Card, **more: Any) -> dict[str, Any]:
    view = view_card(card, request.user)  # type: ignore[arg-type]
    values: dict[str, Any] = {"view": view, "card": card, "dialog": request.GET.get("dialog", ""), **more}
    if isinstance(card, RestWebhook):
        values.setdefault("url_form", WebhookUrlForm(initial={"url": card.owner.url}))
        values.setdefault("events_form", EventTypesForm(initial={"event_types": card.event_types}))
    else:
        made: Made | None = more.get("made")
        values["snippets"] = snippets(card.source, next(iter(made.secrets.values())) if made else None)
    return values
