"""The Integrations tab. Every action answers with its card: alone for HTMX, in the whole page without."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import load, reach_of
from accounts.rights import Right
from core.overlaps import OVERLAPS
from core.problems import Refusal
from integrations import services as cards
from integrations.card_view import view_card
from integrations.kinds import NewSecrets
from integrations.models import Card
from integrations.registry import card_kinds


@login_required
@require_safe
def integrations(request: PageRequest, source_id: UUID) -> HttpResponse:
    """The tab with all cards."""
    return render_tab(request, load(Source.objects.select_related("parent"), request, source_id))


@login_required
@require_safe
def card(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    """One card, for what polls."""
    return render_card(request, load_card(request, source_id, slug, Right.READ), keep_new_key=True)


@login_required
@require_POST
def card_set_up(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = load_card(request, source_id, slug)
    form = cards.kind_of(card).set_up_form(request.POST)
    if form and not form.is_valid():
        return render_card(request, card, set_up_form=form)
    settings = form.cleaned_data if form else {}
    return run_and_answer(request, card, partial(cards.set_up, card=card, **settings))


@login_required
@require_POST
def card_switch(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    card, on = load_card(request, source_id, slug), request.POST.get("on") == "1"
    said = f"{card.label} is {'on' if on else 'off'}."
    return run_and_answer(
        request, card, lambda actor: cards.switch(card=card, on=on, actor=actor), keep_new_key=True, said=said
    )


@login_required
@require_POST
def card_inherits(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    """Turning Inherit on takes the right to configure the parent, whose credential is then used here."""
    card = load_card(request, source_id, slug)
    inherits = request.POST.get("on") == "1"
    if inherits and card.source.parent:
        require_configure(request, card.source.parent)
    return run_and_answer(request, card, partial(cards.set_inherits, card=card, inherits=inherits))


@login_required
@require_POST
def card_options(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = load_card(request, source_id, slug)
    options = cards.kind_of(card).options
    changed = {name: request.POST[name] == "1" for name in options if name in request.POST}
    return run_and_answer(
        request, card, lambda actor: cards.configure(card=card, actor=actor, **changed), keep_new_key=True
    )


@login_required
@require_POST
def card_check(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    """Try the connection. A setting that was typed and not saved is saved first: it is the one to be tried."""
    card = load_card(request, source_id, slug)
    form = cards.kind_of(card).unsaved_form(card, request.POST)
    if form and not form.is_valid():
        return render_card(request, card, set_up_form=form, keep_new_key=True)
    settings = form.cleaned_data if form else {}
    if any(getattr(card, name) != value for name, value in settings.items()):
        new_secrets = cards.configure(card=card, actor=Actor.of(request), **settings)
        card = load_card(request, source_id, slug)
        cards.check(card=card, actor=Actor.of(request))
        return render_card(request, card, new_secrets=new_secrets, keep_new_key=new_secrets is None)
    return run_and_answer(request, card, partial(cards.check, card=card), keep_new_key=True)


@login_required
@require_POST
def card_regenerate(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    """New keys, on the card that owns them."""
    card = load_card(request, source_id, slug)
    require_configure(request, card.credential_card.source)
    overlap = OVERLAPS.get(request.POST.get("overlap", ""))
    return run_and_answer(request, card, partial(cards.regenerate, card=card, overlap=overlap))


@login_required
@require_POST
def card_end_overlap(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    """End the old key now, or (button "header") only stop sending it in the header."""
    card = load_card(request, source_id, slug)
    require_configure(request, card.credential_card.source)
    end = cards.switch_header if "header" in request.POST else cards.end_overlap
    return run_and_answer(request, card, partial(end, card=card))


@login_required
@require_POST
def card_disconnect(request: PageRequest, source_id: UUID, slug: str) -> HttpResponse:
    card = load_card(request, source_id, slug)
    try:
        turned_off = cards.disconnect(card=card, actor=Actor.of(request))
    except Refusal as refusal:
        return render_card(request, card, error=str(refusal))
    return render_card(request, card, turned_off=turned_off, is_disconnected=True)


def load_card(request: PageRequest, source_id: UUID, slug: str, right: Right = Right.CONFIGURE) -> Card:
    if slug not in card_kinds():
        raise Http404
    source = load(Source.objects.select_related("parent"), request, source_id, right)
    if source.is_archived and right is not Right.READ:
        raise PermissionDenied("This source is archived. Restore it first.")
    card: Card = card_kinds()[slug].model.objects.with_credential_card().get(source=source)
    return card


def require_configure(request: PageRequest, source: Source) -> None:
    if not reach_of(request.user, Right.CONFIGURE).includes(source):
        raise PermissionDenied(f"This needs the right to configure {source}.")


def run_and_answer(
    request: PageRequest, card: Card, action: Any, *, keep_new_key: bool = False, said: str = ""
) -> HttpResponse:
    """Run one action and answer with the card as it is afterwards.

    `said`: what screen readers hear. `keep_new_key`: leave a key that was just generated on the page, so
    it can still be copied after the card is turned on.
    """
    try:
        result = action(actor=Actor.of(request))
    except Refusal as refusal:
        return render_card(request, card, error=str(refusal), keep_new_key=True)
    return render_card(
        request,
        card,
        new_secrets=result if isinstance(result, NewSecrets) else None,
        keep_new_key=keep_new_key,
        said=said,
    )


def render_card(request: PageRequest, card: Card, **more: Any) -> HttpResponse:
    fresh = cards.rows_of(card).with_credential_card().get(pk=card.pk)
    if not request.htmx:
        if request.method == "POST" and not any(
            value for name, value in more.items() if name not in ("keep_new_key", "said")
        ):
            return redirect("integrations:integrations", fresh.source_id)
        return render_tab(request, fresh.source, {fresh.slug: more})
    response = render(request, cards.kind_of(fresh).template, card_context(request, fresh, **more))
    response["Cache-Control"] = "no-store"
    return response


def render_tab(request: PageRequest, source: Source, more: dict[str, dict[str, Any]] | None = None) -> HttpResponse:
    shown = []
    for slug, kind in card_kinds().items():
        card = kind.model.objects.with_credential_card().get(source=source)
        context = card_context(request, card, **(more or {}).get(slug, {}))
        shown.append(render_to_string(kind.template, context, request))
    may_test = not source.is_archived and reach_of(request.user, Right.CONFIGURE).includes(source)
    response = render(
        request, "integrations/integrations_page.html", {"source": source, "cards": shown, "may_test": may_test}
    )
    response["Cache-Control"] = "no-store"
    return response


def card_context(request: PageRequest, card: Card, **more: Any) -> dict[str, Any]:
    view = view_card(card, request.user)
    values: dict[str, Any] = {"view": view, "card": card, "dialog": request.GET.get("dialog", ""), **more}
    return cards.kind_of(card).context(card, values) | values
