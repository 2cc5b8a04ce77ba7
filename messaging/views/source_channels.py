"""The channels of a source."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Source
from accounts.reach import load, reach_of
from accounts.rights import Right
from messaging.models import ChannelConnection
from messaging.models.connections import usable_by
from messaging.services import disconnect, reconnect
from messaging.website import form_snippet


@login_required
@require_safe
def channels(request: HttpRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.select_related("parent"), request, source_id)
    usable = list(usable_by(source.pk))
    mine = ChannelConnection.objects.visible_to(request.user, Right.CONFIGURE).filter(usable_at__source=source)
    values = {
        "source": source,
        "connections": usable,
        "configurable": set(mine.values_list("pk", flat=True)),
        "form_snippet": form_snippet(source),
        "may_configure": reach_of(request.user, Right.CONFIGURE).includes(source),
    }
    return render(request, "messaging/channels_page.html", values)


@login_required
@require_POST
def channel_connect(request: HttpRequest, source_id: UUID, built_in_id: int) -> HttpResponse:
    """Cut a built-in channel of the source, or (button "connect") take it back into use."""
    source = load(Source.objects.all(), request, source_id, Right.CONFIGURE)
    connection = get_object_or_404(ChannelConnection, pk=built_in_id, source=source, callback_token="")
    action = reconnect if "connect" in request.POST else disconnect
    action(connection=connection, actor=Actor.of(request))
    return redirect("messaging:channels", source.pk)
