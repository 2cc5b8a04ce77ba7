"""What only the REST Webhook card has: its URL, event filter and secrets."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from core.secrets import Unreadable
from integrations import services as cards
from integrations.views import load_card, render_card, require_configure, run_and_answer
from webhooks.forms import EventTypesForm, WebhookUrlForm
from webhooks.models import RestWebhook


@login_required
@require_POST
def card_settings(request: PageRequest, source_id: UUID) -> HttpResponse:
    """The webhook's URL and its event filter."""
    card = load_card(request, source_id, RestWebhook.slug)
    if "url" in request.POST:
        if card.inherits:
            require_configure(request, card.credential_card.source)
        form = WebhookUrlForm(request.POST)
        if not form.is_valid():
            return render_card(request, card, set_up_form=form, keep_new_key=True)
        return run_and_answer(request, card, partial(cards.configure, card=card.credential_card, **form.cleaned_data))
    events = EventTypesForm(request.POST)
    if not events.is_valid():
        return render_card(request, card, events_form=events, keep_new_key=True)
    return run_and_answer(request, card, partial(cards.configure, card=card, **events.cleaned_data), keep_new_key=True)


@login_required
@require_safe
def card_secrets(request: PageRequest, source_id: UUID) -> HttpResponse:
    """Show the webhook's secrets in full. This needs the right to configure the card that has them."""
    card = load_card(request, source_id, RestWebhook.slug)
    require_configure(request, card.credential_card.source)
    response: HttpResponse = _reveal(request, card)
    return response


@never_cache
@reauthentication_required
def _reveal(request: PageRequest, card: RestWebhook) -> HttpResponse:
    """Show the secrets after the person proved themselves again, by any of their factors."""
    owner = card.credential_card
    Actor.of(request).record(
        "rest-webhook.reveal",
        organization=owner.source.organization_id,
        target=owner,
        source_id=owner.source_id,
    )
    rows = sorted(owner.secrets.active(), key=lambda secret: secret.ends_at is not None)
    try:
        for row in rows:
            row.header_secret.reveal(), row.signing_secret.reveal()
    except Unreadable as error:
        messages.error(request, f"{error} Regenerate the keys, or ask the operator to put the lost one back.")
        rows = []
    return render(request, "webhooks/secrets_page.html", {"source": card.source, "owner": owner, "rows": rows})
