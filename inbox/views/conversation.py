"""A conversation: read and answer."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, HttpResponseLocation

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.reach import load, reach_of
from accounts.rights import Right
from conversations.models import Conversation, Message
from conversations.services import lifecycle as states
from conversations.services.replies import Author, Reply, send_reply
from core.ids import decode
from core.problems import Refusal
from inbox.filters import FilterForm
from inbox.listing import next_after
from inbox.reading import mark_read
from inbox.views.pane import address_of, done, is_part, load_conversation, show
from inbox.views.reply_form import ReplyForm


@login_required
@require_safe
def conversation(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Read it. From now on it is read, for this member."""
    shown = load_conversation(request, conversation_id)
    if request.membership:
        mark_read(request.membership, shown)
    if reach_of(request.user, Right.ANSWER).includes(shown.source):
        states.mark_read(shown)
    return show(request, shown)


@login_required
@require_POST
def reply_create(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Answer; by the button "close" also close, by "next" go on to the next of the list.

    Refused when somebody answered since the page was drawn.
    """
    conversation = load_conversation(request, conversation_id, Right.ANSWER)
    form = ReplyForm(request.POST, request.FILES, source=conversation.source)
    if form.is_valid():
        following = _next(request, conversation) if "next" in request.POST else None  # before it changes its place
        try:
            send_reply(lead_id=conversation.lead_id, reply=_reply(conversation, form), author=_author(request))
        except Refusal as refusal:
            form.add_error(
                None, _who_was_faster(conversation) if refusal.code == "conversation.moved" else refusal.words
            )
        else:
            if "close" in request.POST:
                states.close(conversation_id=conversation.pk, actor=Actor.of(request))
            if "next" in request.POST:
                return _go_to(request, following)
            return done(request, conversation_id)
    return show(request, load_conversation(request, conversation_id), form)


def _who_was_faster(conversation: Conversation) -> str:
    """Say what came in between. The page shows it now, and the next press sends."""
    newest = Message.objects.filter(conversation=conversation, kind=Message.Kind.MESSAGE).order_by("-id").first()
    assert newest  # noqa: S101  it is why the answer was refused
    seconds = max(1, int((timezone.now() - newest.created_at).total_seconds()))
    age = f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
    name = newest.author_name or newest.get_author_display()
    did = "wrote" if newest.is_inbound else "answered"
    return f"{name} {did} {age}. Read it first. Press Send again to send yours anyway."


def _reply(conversation: Conversation, form: ReplyForm) -> Reply:
    return Reply(
        content=form.cleaned_data["content"],
        conversation_id=conversation.pk,
        connection_id=form.cleaned_data["connection"],
        if_last_message_id=decode("msg", form.cleaned_data["last"]),
        file_keys=form.file_keys,
        reopens=True,
    )


def _next(request: PageRequest, conversation: Conversation) -> Conversation | None:
    if not request.membership:
        return None
    return next_after(FilterForm(request.GET, membership=request.membership), conversation)


def _go_to(request: PageRequest, conversation: Conversation | None) -> HttpResponse:
    """Go on in the list, or to the empty inbox."""
    if conversation is None:
        messages.success(request, "Sent. That was the last conversation of this list.")
    address = address_of(request, conversation.pk if conversation else None)
    if not is_part(request):
        return redirect(address)
    if conversation is None:
        return HttpResponseClientRedirect(address)
    return HttpResponseLocation(address, target="#pane", swap="innerHTML")


@login_required
@require_POST
def note_create(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Write a note that only the team sees."""
    conversation = load_conversation(request, conversation_id, Right.ANSWER)
    form = ReplyForm(request.POST, request.FILES, source=conversation.source)
    if form.is_valid() and form.file_keys:
        form.add_error("chosen", "A note takes no files. Send them to the lead, or leave them out.")
    if not form.is_valid():
        return show(request, conversation, form)
    states.note(conversation=conversation, content=form.cleaned_data["content"], author=_author(request))
    return done(request, conversation_id)


@login_required
@require_POST
def message_retry(request: PageRequest, message_id: UUID) -> HttpResponse:
    """Send a failed message again, as a new one."""
    failed = load(Message.objects.select_related("conversation"), request, message_id, Right.ANSWER)
    try:
        states.retry(message=failed, author=_author(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return done(request, failed.conversation_id)


def _author(request: PageRequest) -> Author:
    return Author(Message.Author.STAFF, str(request.user), request.user.pk)
