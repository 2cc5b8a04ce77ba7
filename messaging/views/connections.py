"""Settings, Channels: the accounts at providers that the organization's sources use."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import reach_of
from accounts.rights import Right
from core.ids import decode
from core.problems import Refusal
from messaging import services, trying
from messaging.base import Provider
from messaging.forms import AddressField, ConnectionForm
from messaging.limits import NAMES, chosen
from messaging.models import ChannelConnection, Pace, UsableConnection
from messaging.oauth.servers import server_of
from messaging.registry import CHANNELS, PROVIDERS
from messaging.states import state_of

SOURCES_SHOWN = 200


class TestForm(forms.Form):
    """Where a test goes: to the person's own phone or mailbox."""

    def __init__(self, *args: Any, kind: str, **more: Any) -> None:
        super().__init__(*args, **more)
        label = "Your own number" if kind == "phone" else "Your own mail address"
        self.fields["to"] = AddressField(kind=kind, label=label)


@login_required
@never_cache
@require_safe
def connections(request: PageRequest) -> HttpResponse:
    """All connections that the person may configure, each with its state."""
    mine = membership_with(request, Right.CONFIGURE)
    shown = list(_connections(request).filter(organization=mine.organization).exclude(callback_token=""))
    waiting = services.counts_waiting(shown)
    rows = [(row, state_of(row), PROVIDERS[row.provider], waiting.get(row.pk, 0)) for row in shown]
    providers = [provider for provider in PROVIDERS.values() if provider.is_offered]
    values = {"rows": rows, "providers": [(provider, CHANNELS[provider.channel].label) for provider in providers]}
    return render(request, "messaging/connections_page.html", values)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_create(request: PageRequest) -> HttpResponse:
    """Connect an account at `?provider=`; its page then says what is left to do there."""
    mine = membership_with(request, Right.CONFIGURE)
    named = _provider(request.GET.get("provider", ""))
    if named.needs_consent:
        return redirect("messaging:consent-begin", named.slug)
    form = ConnectionForm(request.POST or None, provider=named, member=mine)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            connection = services.connect(
                source=values["source"],
                actor=Actor.of(request),
                provider=named,
                name=values["name"],
                own_address=values["own_address"],
                settings=form.settings(),
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            trying.check(connection=connection, actor=Actor.of(request))
            return redirect("messaging:connection", connection.pk)
    return render(request, "messaging/connection_form_page.html", {"form": form, "provider": named})


@login_required
@never_cache
@require_safe
def connection(request: PageRequest, connection_id: int) -> HttpResponse:
    """One connection: its state, what is left to do at the provider, who uses it. It looks again by itself."""
    return _page(request, load_connection(request, connection_id))


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_edit(request: PageRequest, connection_id: int) -> HttpResponse:
    """Change it, or connect it again with new credentials."""
    found = load_connection(request, connection_id)
    mine = membership_with(request, Right.CONFIGURE)
    provider = PROVIDERS[found.provider]
    form = ConnectionForm(request.POST or None, provider=provider, member=mine, connection=found)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            services.change(
                connection=found,
                actor=Actor.of(request),
                name=values["name"],
                own_address=values.get("own_address"),
                settings=form.settings(),
                limits=form.limits(),
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            trying.check(connection=load_connection(request, connection_id), actor=Actor.of(request))
            return redirect("messaging:connection", connection_id)
    values = {"form": form, "provider": provider, "connection": found}
    return render(request, "messaging/connection_form_page.html", values)


@login_required
@require_POST
def connection_check(request: PageRequest, connection_id: int) -> HttpResponse:
    """Ask the provider whether it takes the credentials."""
    trying.check(connection=load_connection(request, connection_id), actor=Actor.of(request))
    return _done(request, connection_id)


@login_required
@require_POST
def connection_test(request: PageRequest, connection_id: int) -> HttpResponse:
    """Send a message to the person's own phone or mailbox."""
    found = load_connection(request, connection_id)
    form = TestForm(request.POST, kind=CHANNELS[found.kind].address)
    if not form.is_valid():
        return _page(request, found, form=form)
    trying.send_test(connection=found, actor=Actor.of(request), to=form.cleaned_data["to"])
    return _done(request, connection_id)


@login_required
@require_POST
def connection_use(request: PageRequest, connection_id: int) -> HttpResponse:
    """Let one more source use it; button "stop": no more; button "default": answers of that source go by it."""
    found = load_connection(request, connection_id)
    source_id = decode("src", request.POST.get("source", ""))
    source = get_object_or_404(Source.objects.visible_to(request.user, Right.CONFIGURE), pk=source_id)
    action = services.stop_using if "stop" in request.POST else services.use
    more: dict[str, Any] = {"as_default": True} if "default" in request.POST else {}
    try:
        action(connection=found, source=source, actor=Actor.of(request), **more)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return _done(request, connection_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def connection_remove(request: PageRequest, connection_id: int) -> HttpResponse:
    """Say what stops and what waits; then disconnect, or (button "remove") disconnect for good."""
    found = load_connection(request, connection_id)
    if request.method == "POST":
        actor = Actor.of(request)
        if "remove" in request.POST:
            services.remove(connection=found, actor=actor)
            messages.success(request, f"Removed {found.name}.")
            return redirect("messaging:connections")
        services.disconnect(connection=found, actor=actor)
        return redirect("messaging:connection", connection_id)
    uses, others = _uses(request, found)
    waiting = services.counts_waiting([found]).get(found.pk, 0)
    values = {"connection": found, "waiting": waiting, "uses": uses, "count": len(uses) + others}
    return render(request, "messaging/connection_remove_page.html", values)


def load_connection(request: PageRequest, connection_id: int) -> ChannelConnection:
    """Return a connection that the person may configure. Raise Http404 for any other, and for a built-in one."""
    found: ChannelConnection | None = _connections(request).filter(pk=connection_id).exclude(callback_token="").first()
    if found is None:
        raise Http404
    return found


def _connections(request: PageRequest) -> Any:
    rows = ChannelConnection.objects.visible_to(request.user, Right.CONFIGURE).active()
    return rows.select_related("lane", "source", "folder").order_by("-id")


def _provider(slug: str) -> Provider:
    provider = PROVIDERS.get(slug)
    if provider is None or not provider.is_offered:
        raise Http404
    return provider


def _uses(request: PageRequest, found: ChannelConnection) -> tuple[list[UsableConnection], int]:
    """The sources that use a connection and that the person sees, and how many others there are."""
    rows = UsableConnection.objects.filter(connection=found, source__archived_at=None)
    seen = rows.filter(source__in=Source.objects.visible_to(request.user))
    shown = list(seen.select_related("source", "owner").order_by("source__name")[:SOURCES_SHOWN])
    return shown, rows.count() - len(shown)


def _done(request: PageRequest, connection_id: int) -> HttpResponse:
    if request.htmx:
        return _page(request, load_connection(request, connection_id))
    return redirect("messaging:connection", connection_id)


def _page(request: PageRequest, found: ChannelConnection, *, form: TestForm | None = None) -> HttpResponse:
    uses, unseen = _uses(request, found)
    reach = reach_of(request.user, Right.CONFIGURE)
    others = Source.objects.visible_to(request.user, Right.CONFIGURE).active()
    others = others.filter(organization=found.organization_id)
    own = [usable.source_id for usable in uses if not usable.is_inherited]
    provider = PROVIDERS[found.provider]
    limits, pace = chosen(found), Pace.objects.filter(lane=found.lane_id).first()
    values = {
        "connection": found,
        "provider": provider,
        "channel": CHANNELS[found.kind],
        "state": state_of(found),
        "uses": [(usable, reach.includes(usable.source)) for usable in uses],
        "unseen": unseen,
        "others": others.exclude(pk__in=own).order_by("name")[:SOURCES_SHOWN],
        "waiting": services.counts_waiting([found]).get(found.pk, 0),
        "limits": [(getattr(limits, name), unit) for name, unit in NAMES.items() if getattr(limits, name)],
        "addresses": provider.addresses(found.callback_url),
        "opens_at": pace.opens_at() if pace else None,
        "form": form or TestForm(kind=CHANNELS[found.kind].address),
    }
    name = "messaging/_connection.html" if request.htmx else "messaging/connection_page.html"
    response = render(request, name, values)
    if provider.needs_consent:  # "Connect again" is a form that ends at the provider
        response._csp_update = {"form-action": [server_of(found.provider).origin]}  # type: ignore[attr-defined]
    return response
