"""The inbox: the list of conversations, changes of many at once, and saved views."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Membership
from accounts.rights import Right
from conversations.models import Conversation
from core.ids import decode
from core.problems import Invalid
from inbox.bulk import change_all, undo
from inbox.filters import FilterForm, colleagues
from inbox.forms import BulkForm, SavedViewForm, SnoozeForm
from inbox.keys import KEYS
from inbox.listing import counted, list_values
from inbox.models import BulkChange, SavedView
from inbox.models.saved_views import VIEWS_MAX


@login_required
@require_safe
def inbox(request: PageRequest) -> HttpResponse:
    """Conversations by keyset pages: the newest first; of waiting ones those that wait longest."""
    if not request.membership:
        return render(request, "inbox/nowhere_page.html")
    try:
        values = list_part(request, request.membership)
    except Invalid:
        return redirect("inbox:inbox")
    change_id = decode("bulk", request.GET.get("changed", ""))
    change = BulkChange.objects.filter(user=request.user, pk=change_id, undone_at=None).first() if change_id else None
    return render(request, "inbox/inbox_page.html", {**values, "keys": KEYS, "change": change})


def list_part(request: PageRequest, membership: Membership, current: Conversation | None = None) -> dict[str, Any]:
    """What `_list.html` shows beside a conversation, or alone. Raise Invalid for a bad cursor."""
    seen_at = timezone.now()  # before the rows are read: what comes meanwhile is not marked as read with them
    filters = FilterForm(request.GET, membership=membership)
    # Beside a conversation and after a change the list begins at its top.
    cursor = "" if current or request.method == "POST" else request.GET.get("cursor", "")
    values = list_values(filters, cursor, current.pk if current else None)
    people = [(value, label) for value, label in filters.choices["assignee"] if value]
    return {
        **values,
        "people_of_bulk": people,
        "seen_at": seen_at.isoformat(),
        "snooze_form": SnoozeForm(),
        "view_form": SavedViewForm(initial={"query": filters.query}),
    }


@login_required
@require_POST
def bulk(request: PageRequest) -> HttpResponse:
    """Assign, close, snooze, tag or mark as read all that are ticked."""
    membership = membership_with(request, Right.ANSWER)
    form = BulkForm(request.POST, people=colleagues(membership))
    if not form.is_valid():
        words = next(iter(form.errors.values()))[0]
        return _listed(request, membership, problem=str(words))
    data = form.cleaned_data
    change = change_all(
        membership=membership, actor=Actor.of(request), ids=data["conversation"], wanted=form.wanted(request.user)
    )
    return _listed(request, membership, change=change)


@login_required
@require_POST
def bulk_undo(request: PageRequest, change_id: UUID) -> HttpResponse:
    """Put back what a change of many changed."""
    membership = membership_with(request, Right.ANSWER)
    change = get_object_or_404(BulkChange, pk=change_id, user=request.user, organization=membership.organization_id)
    count = undo(change=change, membership=membership, actor=Actor.of(request))
    return _listed(request, membership, undone=count)


@login_required
@require_safe
def views(request: PageRequest) -> HttpResponse:
    """The saved views with their counts, for the list that does not wait for them."""
    membership = membership_with(request, Right.READ)
    filters = FilterForm(request.GET, membership=membership)
    return render(request, "inbox/_views.html", {"filters": filters, "views": counted(filters), "are_counted": True})


@login_required
@require_POST
def view_create(request: PageRequest) -> HttpResponse:
    """Save what the list shows now, with a name."""
    membership = membership_with(request, Right.READ)
    form = SavedViewForm(request.POST, instance=SavedView(organization=membership.organization, owner=request.user))
    if not form.is_valid():
        messages.error(request, "Give the view a name of at most 60 characters.")
    elif full := _what_is_full(membership, is_shared=form.cleaned_data["is_shared"]):
        messages.error(request, full)
    else:
        view = form.save(commit=False)
        # As the list writes it. Without the search: it may name a lead, to whom it is shared and after they are erased.
        view.query = FilterForm(QueryDict(view.query), membership=membership).query_with(q="")
        view.is_shared = view.is_shared and membership.may(Right.ANSWER)
        view.save()
        return redirect(f"{reverse('inbox:inbox')}?{view.query}")
    return redirect("inbox:inbox")


def _what_is_full(membership: Membership, *, is_shared: bool) -> str:
    """Say why no view can be added; "" when one can. Everybody's list has all that are shared."""
    views = SavedView.objects.filter(organization=membership.organization_id)
    if views.filter(owner=membership.user_id).count() >= VIEWS_MAX:
        return f"You have {VIEWS_MAX} views already. Delete one first."
    if is_shared and views.filter(is_shared=True).count() >= VIEWS_MAX:
        return f"Your team shares {VIEWS_MAX} views already. Save it for yourself, or delete a shared one first."
    return ""


@login_required
@require_POST
def view_delete(request: PageRequest, view_id: UUID) -> HttpResponse:
    """Delete a saved view: one's own, or, for those who configure, a shared one."""
    membership = membership_with(request, Right.READ)
    view = get_object_or_404(SavedView.objects.of(membership), pk=view_id)
    if view.owner_id != request.user.pk and not membership.may(Right.CONFIGURE):
        raise PermissionDenied("Only its owner or a manager may delete a shared view.")
    view.delete()
    return redirect("inbox:inbox")


def _listed(request: PageRequest, membership: Membership, **told: Any) -> HttpResponse:
    """The list again, with what happened: in place, or after a form without scripts by its address."""
    if request.htmx:
        return render(request, "inbox/_list.html", {**list_part(request, membership), **told})
    if problem := told.get("problem"):
        messages.error(request, problem)
    if "undone" in told:
        messages.success(request, f"{told['undone']} put back.")
    query = request.GET.copy()
    query.pop("changed", None)
    if change := told.get("change"):
        query["changed"] = change.public_id
    return redirect(f"{reverse('inbox:inbox')}?{query.urlencode()}")
