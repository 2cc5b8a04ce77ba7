"""The channels of a source."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Source
from accounts.reach import load, reach_of
from accounts.rights import Right
from messaging.models import ChannelConnection
from messaging.website import form_snippet


@login_required
@require_safe
def channels(request: HttpRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.select_related("parent"), request, source_id)
    values = {
        "source": source,
        "connections": source.connections.all(),
        "form_snippet": form_snippet(source),
        "may_configure": reach_of(request.user, Right.CONFIGURE).includes(source),
    }
    return render(request, "messaging/channels_page.html", values)


@login_required
@require_POST
@transaction.atomic
def channel_connect(request: HttpRequest, source_id: UUID, connection_id: int) -> HttpResponse:
    """Cut a channel, or (button "connect") take it back into use."""
    source = load(Source.objects.all(), request, source_id, Right.CONFIGURE)
    connection = get_object_or_404(ChannelConnection, pk=connection_id, source=source)
    connects = "connect" in request.POST
    connection.disconnected_at = None if connects else timezone.now()
    connection.save(update_fields=["disconnected_at"])
    Actor.of(request).record(
        "channel.connect" if connects else "channel.disconnect",
        organization=source.organization_id,
        target=f"{connection.get_kind_display()} of {source}",
        source_id=source.pk,
        before={"connected": not connects},
        after={"connected": connects},
    )
    return redirect("messaging:channels", source.pk)
