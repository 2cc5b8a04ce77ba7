"""What open pages ask for: whether anything changed, the rows of the list, and a conversation's messages."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import membership_with
from accounts.http import PageRequest
from accounts.reach import reach_of
from accounts.rights import Right
from conversations.models import Conversation
from conversations.services import lifecycle as states
from core.ids import decode
from core.problems import Invalid
from inbox.filters import FilterForm
from inbox.listing import rows_values, version_of_list
from inbox.live import look, thread_version
from inbox.reading import mark_read
from inbox.selectors import conversation_values
from inbox.views.pane import load_conversation


@login_required
@never_cache
@require_safe
def changes(request: PageRequest) -> HttpResponse:
    """Say which version of the list and of the open conversation is the newest, and who else looks at it.

    A conversation that the person may not see any more has no version.
    """
    membership = membership_with(request, Right.READ)
    shown: dict[str, object] = {"list": "", "thread": "", "others": []}
    filters = FilterForm.as_asked(request.GET, membership)
    with suppress(Invalid):  # a cursor that is none: there is no such list
        shown["list"] = version_of_list(filters, request.GET.get("cursor", ""))
    open_id = decode("conv", request.GET.get("open", ""))
    conversation = Conversation.objects.visible_to(request.user).filter(pk=open_id).first() if open_id else None
    if conversation:
        shown["thread"] = thread_version(conversation.pk)
        shown["others"] = look(request.user, conversation, is_typing="typing" in request.GET)
    return JsonResponse(shown)


@login_required
@never_cache
@require_safe
def rows(request: PageRequest) -> HttpResponse:
    """The rows of the list as they are now."""
    membership = membership_with(request, Right.READ)
    try:
        values = rows_values(FilterForm(request.GET, membership=membership), request.GET.get("cursor", ""))
    except Invalid:
        return HttpResponse(status=400)
    return render(request, "inbox/_rows.html", {**values, "current": decode("conv", request.GET.get("open", ""))})


@login_required
@never_cache
@require_safe
def thread(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """The head and the messages of a conversation as they are now; the answer that is being written stays."""
    conversation = load_conversation(request, conversation_id)
    may_answer = reach_of(request.user, Right.ANSWER).includes(conversation.source)
    if request.membership:
        mark_read(request.membership, conversation)
    if may_answer:
        states.mark_read(conversation)
    values = {
        **conversation_values(conversation),
        "may_answer": may_answer,
        "asked": f"?{request.GET.urlencode()}" if request.GET else "",
    }
    return render(request, "inbox/_thread_live.html", values)
