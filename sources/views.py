"""Sources: the list, one with its overview, create, edit, archive, and the test lead."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Organization, Source
from accounts.reach import load, reach_of
from accounts.rights import Right
from conversations.models import Conversation
from core.problems import Refusal
from messaging.models.connections import usable_by
from messaging.website import form_snippet
from sources import round_trip, selectors, services
from sources.forms import SourceForm


@login_required
@require_safe
def home(request: PageRequest) -> HttpResponse:
    """The start: the inbox."""
    return redirect("inbox:inbox")


@login_required
@require_safe
def sources(request: PageRequest) -> HttpResponse:
    """The tree of sources, failing first."""
    membership = request.membership
    search, archived = request.GET.get("q", "").replace("\x00", "")[:100], request.GET.get("archived") == "1"
    rows = []
    if membership:
        rows = selectors.source_tree(request.user, membership.organization_id, search, archived=archived)
    may_add = bool(membership and membership.may(Right.CONFIGURE)) and _may_add_somewhere(request)
    values = {"rows": rows, "search": search, "archived": archived, "may_add": may_add}
    return render(request, "sources/sources_page.html", values)


def _may_add_somewhere(request: PageRequest) -> bool:
    """A member limited to sources adds locations, and only to businesses of theirs."""
    is_limited = not reach_of(request.user, Right.CONFIGURE).organization_ids
    return not is_limited or Source.objects.businesses().active().visible_to(request.user, Right.CONFIGURE).exists()


@login_required
@require_safe
def source(request: PageRequest, source_id: UUID) -> HttpResponse:
    """One source: its address, its form, its cards' state, its last two weeks."""
    found = load(Source.objects.select_related("parent", "archived_by"), request, source_id)
    tree = selectors.source_tree(request.user, found.organization_id, "", archived=found.is_archived)
    every = [shown for row in tree for shown in (row, *row.locations)]
    values = {
        "source": found,
        "row": next((row for row in every if row.source.pk == found.pk), None),
        "locations": next((row.locations for row in tree if row.source.pk == found.pk), []),
        "connections": [usable.connection for usable in usable_by(found.pk)],
        "form_snippet": form_snippet(found),
        "bars": selectors.daily_chart(found),
        "may_configure": reach_of(request.user, Right.CONFIGURE).includes(found),
    }
    return render(request, "sources/source_page.html", values)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_create(request: PageRequest) -> HttpResponse:
    """Add a business, or a location of one. A member limited to sources may add locations of their businesses."""
    membership = request.membership
    if not membership or not membership.may(Right.CONFIGURE):
        raise PermissionDenied("Your role does not include adding sources.")
    form = SourceForm(
        request.POST or None,
        user=request.user,
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
        source = services.create_source(organization=organization, parent=parent, actor=Actor.of(request), **values)
        return redirect("sources:source", source.pk)
    return render(request, "sources/source_form_page.html", {"form": form})


def _initial(request: PageRequest) -> dict[str, str]:
    return {"parent": request.GET.get("parent", ""), "time_zone": getattr(request.user, "time_zone", "UTC")}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_edit(request: PageRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.all(), request, source_id, Right.CONFIGURE)
    form = SourceForm(request.POST or None, instance=source, user=request.user, organization_id=source.organization_id)
    if request.method == "POST" and form.is_valid():
        source = Source.objects.get(pk=source_id)
        services.update_source(source=source, actor=Actor.of(request), **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("sources:source", source.pk)
    return render(request, "sources/source_form_page.html", {"form": form, "source": source})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_archive(request: PageRequest, source_id: UUID) -> HttpResponse:
    """Archive after a page that says what stops; the button "restore" takes it back."""
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    if request.method == "POST":
        try:
            if "restore" in request.POST:
                services.restore_source(source=source, actor=Actor.of(request))
            else:
                services.archive_source(source=source, actor=Actor.of(request))
        except Refusal as refusal:
            messages.error(request, str(refusal))
        return redirect("sources:source", source.pk)
    locations = source.locations.filter(archived_at=None)
    return render(request, "sources/source_archive_page.html", {"source": source, "locations": locations})


@login_required
@require_POST
def trial_start(request: PageRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    tester = request.user
    conversation = round_trip.send_test_lead(source=source, tester=tester, actor=Actor.of(request))
    return redirect("sources:trial", conversation.pk)


@login_required
@require_safe
def trial(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Each hop with its time, or where it stopped and what to do; asks again by itself while it runs."""
    rows = Conversation.objects.filter(lead__is_test=True).select_related("lead", "source__parent")
    conversation = load(rows, request, conversation_id)
    page = "sources/_trial.html" if request.htmx else "sources/trial_page.html"
    return render(request, page, {"trial": round_trip.follow(conversation), "source": conversation.source})
