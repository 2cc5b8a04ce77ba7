"""Make, change and retire sources; their channels."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Organization, Right
from core.problems import Refusal
from integrations.access import load, reach_of
from integrations.forms import SourceForm
from integrations.models import ChannelConnection, Source
from integrations.services import sources
from integrations.snippets import form_snippet


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_create(request: HttpRequest) -> HttpResponse:
    """Add a business, or a location of one. A member limited to sources may add locations of their businesses."""
    membership = request.membership  # type: ignore[attr-defined]
    if not membership or not membership.may(Right.CONFIGURE):
        raise PermissionDenied("Your role does not include adding sources.")
    form = SourceForm(
        request.POST or None,
        user=request.user,  # type: ignore[arg-type]
        organization_id=membership.organization_id,
        initial=_initial(request),
    )
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        parent = values.pop("parent")
        organization: Organization = parent.organization if parent else membership.organization
        if parent is None and organization.pk not in reach_of(request.user, Right.CONFIGURE).organization_ids:
            raise PermissionDenied("You may add locations to your businesses only.")
        form.instance.organization = organization
        source = sources.create_source(organization=organization, parent=parent, actor=Actor.of(request), **values)
        return redirect("conversations:source", source.pk)
    return render(request, "integrations/source_form_page.html", {"form": form})


def _initial(request: HttpRequest) -> dict[str, str]:
    return {"parent": request.GET.get("parent", ""), "time_zone": getattr(request.user, "time_zone", "UTC")}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_edit(request: HttpRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.all(), request, source_id, Right.CONFIGURE)
    form = SourceForm(request.POST or None, instance=source, user=request.user, organization_id=source.organization_id)  # type: ignore[arg-type]
    if request.method == "POST" and form.is_valid():
        source = Source.objects.get(pk=source_id)
        sources.update_source(source=source, actor=Actor.of(request), **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("conversations:source", source.pk)
    return render(request, "integrations/source_form_page.html", {"form": form, "source": source})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_archive(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Archive after a page that says what stops; the button "restore" takes it back."""
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    if request.method == "POST":
        try:
            if "restore" in request.POST:
                sources.restore_source(source=source, actor=Actor.of(request))
            else:
                sources.archive_source(source=source, actor=Actor.of(request))
        except Refusal as refusal:
            messages.error(request, str(refusal))
        return redirect("conversations:source", source.pk)
    locations = source.locations.filter(archived_at=None)
    return render(request, "integrations/source_archive_page.html", {"source": source, "locations": locations})


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
    return render(request, "integrations/channels_page.html", values)


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
    return redirect("integrations:channels", source.pk)
