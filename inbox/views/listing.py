"""The inbox: the list of conversations."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.http import PageRequest
from accounts.models import Source
from conversations.models import Conversation, Label
from conversations.models.conversations import ConversationQuerySet
from core.ids import decode
from core.keyset import page_by_moment
from core.problems import Invalid

PAGE_SIZE = 30
SEARCH_MAX = 100  # characters
KEYS = [("j", "Next conversation"), ("k", "Previous conversation"), ("Enter", "Open it"), ("/", "Search")]


@login_required
@require_safe
def inbox(request: PageRequest) -> HttpResponse:
    """Conversations by keyset pages: the newest first; of waiting ones those that wait longest."""
    membership = request.membership
    search = request.GET.get("q", "").replace("\x00", "").strip()[:SEARCH_MAX]
    state = request.GET.get("state", "all" if search else "open")  # a search looks into closed ones too
    label = request.GET.get("meaning", "")
    source = decode("src", request.GET.get("source", ""))
    rows = _filtered(request, search=search, state=state, label=label, source=source)
    moment = "waiting_since" if state == "waiting" else "last_message_at"
    place = request.GET.get("cursor", "")
    try:
        conversations, cursor = page_by_moment(rows, moment, place, PAGE_SIZE, oldest_first=state == "waiting")
    except Invalid:
        return redirect("inbox:inbox")
    sources = Source.objects.visible_to(request.user).active()
    if membership:
        sources = sources.filter(organization=membership.organization_id)
    values = {
        "rows": conversations,
        "older": f"?{urlencode({**request.GET.dict(), 'cursor': cursor})}" if cursor else "",
        "search": search,
        "keys": KEYS,
        "state": state,
        "states": [("open", "Open"), ("waiting", "Waiting for an answer"), ("closed", "Closed"), ("all", "All")],
        "label": label,
        "labels": Label.choices,
        "sources": sources.only("id", "name")[:500],
        "source_id": source,
        "mine": bool(request.GET.get("mine")),
    }
    return render(request, "inbox/inbox_page.html", values)


def _filtered(
    request: PageRequest, *, search: str, state: str, label: str, source: UUID | None
) -> ConversationQuerySet:
    membership = request.membership
    rows: ConversationQuerySet = Conversation.objects.visible_to(request.user).filter(lead__is_test=False)
    rows = rows.select_related("lead", "source", "connection", "assignee")
    rows = rows.filter(organization_id=membership.organization_id) if membership else rows.none()
    if search and membership:
        rows = rows.searched(search, membership.organization_id)
    if state in ("open", "waiting", "closed"):
        rows = getattr(rows, state)()
    if request.GET.get("mine"):
        rows = rows.filter(assignee=request.user)
    if label in Label.values:
        rows = rows.filter(label=label)
    return rows.filter(source=source) if source else rows
