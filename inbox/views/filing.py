"""Close, assign, snooze, tag, hand over and classify: the small buttons of a conversation."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.reach import load
from accounts.rights import Right
from conversations.models import Conversation, Label, Message, ReceivedReply
from conversations.services import filing
from conversations.services import lifecycle as states
from conversations.services.received_replies import correct
from conversations.services.team import team_of
from core.ids import decode
from core.problems import Refusal
from inbox.forms import SnoozeForm
from inbox.reading import mark_unread
from inbox.selectors import CORRECTABLE
from inbox.views.pane import address_of, done, load_conversation


@login_required
@require_POST
def conversation_close(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Close, or (button "reopen") open again."""
    load_conversation(request, conversation_id, Right.ANSWER)
    change = states.reopen if "reopen" in request.POST else states.close
    change(conversation_id=conversation_id, actor=Actor.of(request))
    return done(request, conversation_id)


@login_required
@require_POST
def conversation_assign(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Give it to somebody of the team, or (empty) to nobody."""
    conversation = load_conversation(request, conversation_id, Right.ANSWER)
    person_id = decode("usr", request.POST.get("assignee", ""))
    people = {person.pk: person for person in team_of(conversation)}
    if person_id and person_id not in people:
        raise Http404
    states.assign(conversation_id=conversation.pk, to=people[person_id] if person_id else None, actor=Actor.of(request))
    return done(request, conversation_id)


@login_required
@require_POST
def conversation_snooze(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Put it off until a time, or (button "end") take it back now."""
    load_conversation(request, conversation_id, Right.ANSWER)
    if "end" in request.POST:
        filing.unsnooze(conversation_id=conversation_id, actor=Actor.of(request))
        return done(request, conversation_id)
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose until when.")
        return done(request, conversation_id)
    try:
        filing.snooze(conversation_id=conversation_id, until=form.moment, actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, refusal.words)
    return done(request, conversation_id)


@login_required
@require_POST
def conversation_tag(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Add a tag, or (button "remove") take one away."""
    load_conversation(request, conversation_id, Right.ANSWER)
    add, remove = request.POST.get("tag", ""), request.POST.get("remove", "")
    try:
        filing.change_tags(
            conversation_id=conversation_id, add="" if remove else add, remove=remove, actor=Actor.of(request)
        )
    except Refusal as refusal:
        messages.error(request, refusal.words)
    return done(request, conversation_id)


@login_required
@require_POST
def conversation_hand_over(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Take it over for the team, or (button "back") hand it back to programs."""
    load_conversation(request, conversation_id, Right.ANSWER)
    to = Conversation.Holder.EXTERNAL if "back" in request.POST else Conversation.Holder.TEAM
    filing.hand_over(conversation_id=conversation_id, to=to, actor=Actor.of(request))
    return done(request, conversation_id)


@login_required
@require_POST
def conversation_unread(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Show it as unread again, to this member alone, and go back to the list: its page would mark it as read."""
    conversation = load_conversation(request, conversation_id)
    if request.membership:
        mark_unread(request.membership, conversation)
    return redirect(address_of(request, None))


@login_required
@require_POST
def reply_classify(request: PageRequest, message_id: UUID) -> HttpResponse:
    """Say what a lead means by a message, in place of what rules say."""
    message = load(Message.objects.all(), request, message_id, Right.ANSWER)
    reply = get_object_or_404(ReceivedReply, message=message)
    label = request.POST.get("label", "")
    if label not in dict(CORRECTABLE):
        raise Http404
    try:
        correct(reply=reply, label=Label(label), actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return done(request, message.conversation_id)
