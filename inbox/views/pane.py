"""The page of a conversation, and its parts that answer a button."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.http import PageRequest
from accounts.reach import load, reach_of
from accounts.rights import Right
from conversations.models import Conversation
from inbox.keys import KEYS
from inbox.models import SavedReply
from inbox.reading import unread_of
from inbox.selectors import conversation_values
from inbox.variables import filled, values_of
from inbox.views.listing import list_part
from inbox.views.reply_form import ReplyForm


def load_conversation(request: PageRequest, conversation_id: UUID, right: Right = Right.READ) -> Conversation:
    rows = Conversation.objects.select_related("lead", "source__parent", "connection", "closed_by", "assignee")
    return load(rows, request, conversation_id, right)


def done(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Answer a button: the thread as it is now, or, without scripts, its page."""
    if request.htmx:
        return show(request, load_conversation(request, conversation_id))
    return redirect(address_of(request, conversation_id))


def address_of(request: PageRequest, conversation_id: UUID | None) -> str:
    """Return the address of a conversation, or of the inbox, with the filters that the list has now."""
    path = reverse("inbox:conversation", args=[conversation_id]) if conversation_id else reverse("inbox:inbox")
    query = request.GET.urlencode()
    return f"{path}?{query}" if query else path


def show(request: PageRequest, conversation: Conversation, form: ReplyForm | None = None) -> HttpResponse:
    """Show a conversation: the whole page; beside the list that stays, the pane; after a button, the thread."""
    membership = request.membership
    values: dict[str, Any] = conversation_values(conversation)
    values |= {
        "form": _with_draft(form or ReplyForm(source=conversation.source), request, conversation),
        "saved_replies": _saved_replies(request, conversation),
        "may_answer": reach_of(request.user, Right.ANSWER).includes(conversation.source),
        "query": request.GET.urlencode(),
        "asked": f"?{request.GET.urlencode()}" if request.GET else "",
        "keys": KEYS,
        "current": conversation.pk,
        "row": conversation,
        "unread": unread_of(membership, [conversation]) if membership else set(),
    }
    if is_part(request):
        part = "inbox/_pane.html" if request.htmx.target == "pane" else "inbox/_thread_answer.html"
        return render(request, part, values)
    if membership and membership.organization_id == conversation.organization_id:
        values |= _beside(request, conversation)
    return render(request, "inbox/conversation_page.html", values)


def _saved_replies(request: PageRequest, conversation: Conversation) -> list[dict[str, str]]:
    """The team's saved replies, as this lead would read them."""
    values = values_of(conversation, request.user)
    rows = SavedReply.objects.filter(organization=conversation.organization_id)
    return [{"pk": row.public_id, "name": row.name, "text": filled(row.content, values)} for row in rows]


def is_part(request: PageRequest) -> bool:
    """True when htmx wants a part of the page. It wants the whole one when somebody goes back."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def _beside(request: PageRequest, conversation: Conversation) -> dict[str, Any]:
    assert request.membership  # noqa: S101  the caller has looked
    return list_part(request, request.membership, conversation)


def _with_draft(form: ReplyForm, request: PageRequest, conversation: Conversation) -> ReplyForm:
    """Let the browser keep what is typed, by person and conversation, until it is sent or they log out."""
    form.fields["content"].widget.attrs["data-draft"] = f"{request.user.pk}:{conversation.public_id}"
    return form
