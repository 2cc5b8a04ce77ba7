"""Sources as the team sees them: the tree, and one with what happens on it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.models import Right
from conversations import selectors
from integrations.access import load, reach_of
from integrations.models import Source
from integrations.snippets import form_snippet


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The start: the inbox."""
    return redirect("conversations:inbox")


@login_required
@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """The tree of sources, failing first."""
    membership = request.membership  # type: ignore[attr-defined]
    search, archived = request.GET.get("q", "").replace("\x00", "")[:100], request.GET.get("archived") == "1"
    rows = []
    if membership:
        rows = selectors.source_tree(request.user, membership.organization_id, search, archived=archived)  # type: ignore[arg-type]
    may_add = bool(membership and membership.may(Right.CONFIGURE)) and _may_add_somewhere(request)
    values = {"rows": rows, "search": search, "archived": archived, "may_add": may_add}
    return render(request, "conversations/sources_page.html", values)


def _may_add_somewhere(request: HttpRequest) -> bool:
    """A member limited to sources adds locations, and only to businesses of theirs."""
    is_limited = not reach_of(request.user, Right.CONFIGURE).organization_ids
    return not is_limited or Source.objects.businesses().live().visible_to(request.user, Right.CONFIGURE).exists()


@login_required
@require_safe
def source(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """One source: its address, its form, its cards' state, its last two weeks."""
    found = load(Source.objects.select_related("parent", "archived_by"), request, source_id)
    tree = selectors.source_tree(request.user, found.organization_id, "", archived=found.is_archived)  # type: ignore[arg-type]
    every = [one for row in tree for one in (row, *row.locations)]
    values = {
        "source": found,
        "row": next((row for row in every if row.source.pk == found.pk), None),
        "locations": next((row.locations for row in tree if row.source.pk == found.pk), []),
        "connections": found.connections.all(),
        "form_snippet": form_snippet(found),
        "bars": selectors.daily_chart(found),
        "may_configure": reach_of(request.user, Right.CONFIGURE).includes(found),
    }
    return render(request, "conversations/source_page.html", values)
