"""Connect a mailbox by signing in at its provider, and give the permission again when it is over."""

from __future__ import annotations

import secrets
import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.rights import Right
from core.ids import decode
from core.problems import Refusal
from messaging import trying
from messaging.base import Provider
from messaging.failures import NotSent
from messaging.forms import ConnectionForm
from messaging.models import ChannelConnection
from messaging.oauth.consenting import connect_mailbox, renew_consent
from messaging.oauth.servers import GrantEnded, Tokens, server_of
from messaging.registry import PROVIDERS
from messaging.views.connections import load_connection

PENDING = "mailbox-consent"  # in the session
CONSENT_SECONDS = 900  # until somebody must begin anew
CODE_MAX = 4_096  # characters


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def consent_begin(request: PageRequest, provider: str) -> HttpResponse:
    """Say how the mailbox is called and who uses it; then its owner signs in at the provider."""
    named = _provider(provider)
    mine = membership_with(request, Right.CONFIGURE)
    form = ConnectionForm(request.POST or None, provider=named, member=mine)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        wanted = {"name": values["name"], "source": values["source"].public_id, "settings": form.settings()}
        return _to_consent(request, named, wanted)
    response = render(request, "messaging/connection_form_page.html", {"form": form, "provider": named})
    # Browsers hold a form to where it is redirected, too.
    response._csp_update = {"form-action": [server_of(named.slug).origin]}  # type: ignore[attr-defined]  # as csp_update does
    return response


@login_required
@require_POST
def consent_again(request: PageRequest, connection_id: int) -> HttpResponse:
    """Give the permission for a mailbox again."""
    connection = load_connection(request, connection_id)
    return _to_consent(request, _provider(connection.provider), {"connection": connection.pk})


@login_required
@never_cache
@require_safe
def consent_done(request: PageRequest, provider: str) -> HttpResponse:
    """Come back from the provider with a code, once, in the browser that went there."""
    named = _provider(provider)
    pending = request.session.pop(PENDING, None)
    if not _is_answer_to(pending, named, request.GET.get("state", "")):
        messages.error(request, "This sign-in was not begun here, or too long ago. Begin anew.")
        return redirect("messaging:connections")
    try:
        if not request.GET.get("code"):
            raise NotSent("channel.failed", f"{named.label} was not allowed to give access.", is_permanent=True)
        tokens = _redeem(named, pending, request.GET["code"][:CODE_MAX])
        connection = _keep(request, named, pending, tokens)
    except (NotSent, Refusal) as failure:
        messages.error(request, str(failure))
        return redirect("messaging:connections")
    trying.check(connection=connection, actor=Actor.of(request))
    return redirect("messaging:connection", connection.pk)


def _to_consent(request: PageRequest, named: Provider, wanted: dict[str, Any]) -> HttpResponse:
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    request.session[PENDING] = {
        **wanted, "provider": named.slug, "state": state, "verifier": verifier, "at": time.time(),
    }  # fmt: skip
    url = server_of(named.slug).consent_url(state=state, verifier=verifier, redirect_uri=_redirect_uri(named))
    return HttpResponseRedirect(url)


def _redirect_uri(named: Provider) -> str:
    return f"{settings.BASE_URL}{reverse('messaging:consent-done', args=[named.slug])}"


def _is_answer_to(pending: Any, named: Provider, state: str) -> bool:
    return (
        isinstance(pending, dict)
        and pending["provider"] == named.slug
        and constant_time_compare(pending["state"], state)
        and time.time() - pending["at"] < CONSENT_SECONDS
    )


def _redeem(named: Provider, pending: dict[str, Any], code: str) -> Tokens:
    try:
        return server_of(named.slug).redeem(code, verifier=pending["verifier"], redirect_uri=_redirect_uri(named))
    except GrantEnded as error:
        detail = f"{named.label} does not know this sign-in any more. Begin anew."
        raise NotSent("channel.failed", detail, is_permanent=True) from error


def _keep(request: PageRequest, named: Provider, pending: dict[str, Any], tokens: Tokens) -> ChannelConnection:
    """Connect what was asked for, with the rights that the person has now."""
    if "connection" in pending:
        connection = load_connection(request, pending["connection"])
        renew_consent(connection=connection, actor=Actor.of(request), tokens=tokens)
        return connection
    membership_with(request, Right.CONFIGURE)
    sources = Source.objects.visible_to(request.user, Right.CONFIGURE)
    source = get_object_or_404(sources, pk=decode("src", pending["source"]))
    return connect_mailbox(
        source=source,
        actor=Actor.of(request),
        provider=named,
        name=pending["name"],
        settings=pending["settings"],
        tokens=tokens,
    )


def _provider(slug: str) -> Provider:
    provider = PROVIDERS.get(slug)
    if provider is None or not provider.needs_consent or not provider.is_offered:
        raise Http404
    return provider
