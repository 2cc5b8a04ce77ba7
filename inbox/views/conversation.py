"""A conversation: read and answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.reach import load, reach_of
from accounts.rights import Right
from conversations.models import Conversation, Label, Message, ReceivedReply
from conversations.reachability import reach_of_lead, usable_json
from conversations.services import lifecycle as states
from conversations.services.received_replies import correct
from conversations.services.replies import Author, Reply, send_reply
from core.ids import decode, encode
from core.problems import Refusal
from inbox.views.reply_form import ReplyForm
from inbox.views.templates import sendable_templates
from leads.models import OptOut
from messaging.models import ChannelConnection, InboundMail
from messaging.models.connections import usable_by
from messaging.registry import CHANNELS
from messaging.segments import segments

KEYS = [
    ("r", "Write an answer"),
    ("Esc", "Leave the answer, to use the other keys"),
    ("e", "Close the conversation, or reopen it"),
    ("a", "Assign it"),
    ("u", "Back to the inbox"),
]
TIMELINE_SHOWN = 200
CORRECTABLE = [(label.value, label.label) for label in Label if label != Label.BOUNCE]
REASONS = {
    "no_email": "the lead has no email address",
    "no_phone": "the lead has no phone number",
    "opted_out": "the lead wants no messages here",
    "not_connected": "not connected",
    "outside_window": "last message over 24 hours ago, send a template",
    "receives_only": "only receives",
}


@login_required
@require_safe
def conversation(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    found = _load(request, conversation_id)
    if reach_of(request.user, Right.ANSWER).includes(found.source):
        states.mark_read(found)
    return _show(request, found)


@login_required
@require_POST
def reply_create(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Answer, or (button "close") answer and close. Refused when somebody answered since the page was drawn."""
    conversation = _load(request, conversation_id, Right.ANSWER)
    form = ReplyForm(request.POST, request.FILES, source=conversation.source)
    if form.is_valid():
        reply = Reply(
            content=form.cleaned_data["content"],
            conversation_id=conversation.pk,
            connection_id=form.cleaned_data["connection"],
            if_last_message_id=decode("msg", form.cleaned_data["last"]),
            file_keys=form.file_keys,
            reopens=True,
        )
        try:
            send_reply(lead_id=conversation.lead_id, reply=reply, author=_author(request))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            if "close" in request.POST:
                states.close(conversation_id=conversation.pk, actor=Actor.of(request))
            return _done(request, conversation_id)
    return _show(request, _load(request, conversation_id), form)


@login_required
@require_POST
def conversation_close(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Close, or (button "reopen") open again."""
    _load(request, conversation_id, Right.ANSWER)
    if "reopen" in request.POST:
        states.reopen(conversation_id=conversation_id, actor=Actor.of(request))
    else:
        states.close(conversation_id=conversation_id, actor=Actor.of(request))
    return _done(request, conversation_id)


@login_required
@require_POST
def conversation_assign(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Give it to somebody of the team, or (empty) to nobody."""
    conversation = _load(request, conversation_id, Right.ANSWER)
    person_id = decode("usr", request.POST.get("assignee", ""))
    people = {person.pk: person for person in states.assignable(conversation)}
    if person_id and person_id not in people:
        raise Http404
    states.assign(conversation_id=conversation.pk, to=people[person_id] if person_id else None, actor=Actor.of(request))
    return _done(request, conversation_id)


@login_required
@require_POST
def note_create(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Write a note that only the team sees."""
    conversation = _load(request, conversation_id, Right.ANSWER)
    form = ReplyForm(request.POST, request.FILES, source=conversation.source)
    if form.is_valid() and form.file_keys:
        form.add_error("chosen", "A note takes no files. Send them to the lead, or leave them out.")
    if not form.is_valid():
        return _show(request, conversation, form)
    states.note(conversation=conversation, content=form.cleaned_data["content"], author=_author(request))
    return _done(request, conversation_id)


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
    return _done(request, message.conversation_id)


@login_required
@require_POST
def message_retry(request: PageRequest, message_id: UUID) -> HttpResponse:
    """Send a failed message again, as a new one."""
    failed = load(Message.objects.select_related("conversation"), request, message_id, Right.ANSWER)
    try:
        states.retry(message=failed, author=_author(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return _done(request, failed.conversation_id)


def _author(request: PageRequest) -> Author:
    return Author(Message.Author.STAFF, str(request.user), request.user.pk)


def _load(request: PageRequest, conversation_id: UUID, right: Right = Right.READ) -> Conversation:
    rows = Conversation.objects.select_related("lead", "source__parent", "connection", "closed_by", "assignee")
    return load(rows, request, conversation_id, right)


def _done(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    if request.htmx:
        return _show(request, _load(request, conversation_id))
    return redirect("inbox:conversation", conversation_id)


def _show(request: PageRequest, conversation: Conversation, form: ReplyForm | None = None) -> HttpResponse:
    rows = Message.objects.filter(conversation=conversation).prefetch_related("status_changes", "attachments")
    newest = list(rows.order_by("-id")[: TIMELINE_SHOWN + 1])
    mails = InboundMail.objects.filter(message_id__in=[message.pk for message in newest]).exclude(header_id="")
    routes = _ways(conversation)
    values: dict[str, Any] = {
        "whole_mails": dict(mails.values_list("message_id", "has_html")),
        "conversation": conversation,
        "lead": conversation.lead,
        "messages_shown": newest[:TIMELINE_SHOWN][::-1],
        "has_older": len(newest) > TIMELINE_SHOWN,
        "routes": routes,
        "is_outside_window": any(way["reason"] == "outside_window" for way in routes),
        "connections": {
            connection.pk: connection.get_kind_display()
            for connection in ChannelConnection.objects.filter(
                pk__in={message.connection_id for message in newest if message.connection_id}
            )
        },
        "templates": sendable_templates(conversation),
        "segments": _segments(newest),
        "opt_outs": OptOut.objects.of(conversation.lead),
        "replies": _replies(newest),
        "labels": CORRECTABLE,
        "others": Conversation.objects.filter(lead=conversation.lead).exclude(pk=conversation.pk).newest_first()[:10],
        "may_answer": reach_of(request.user, Right.ANSWER).includes(conversation.source),
        "people": [(encode("usr", person.pk), str(person)) for person in states.assignable(conversation)],
        "assignee": encode("usr", conversation.assignee_id) if conversation.assignee_id else "",
        "form": _with_draft(
            form or ReplyForm(source=conversation.source), f"{request.user.pk}:{conversation.public_id}"
        ),
        "keys": KEYS,
        "last": next((message.public_id for message in newest if not message.is_note and not message.is_automatic), ""),
    }
    template = "inbox/_thread.html" if request.htmx else "inbox/conversation_page.html"
    return render(request, template, values)


def _segments(shown: list[Message]) -> dict[UUID, int]:
    """In how many SMS each of ours went that took more than one."""
    ids = {message.connection_id for message in shown if message.connection_id}
    by_sms = set(ChannelConnection.objects.filter(pk__in=ids, kind="sms").values_list("pk", flat=True))
    sent = (message for message in shown if message.connection_id in by_sms and not message.is_inbound)
    return {message.pk: count for message in sent if (count := segments(message.content)) > 1}


def _replies(shown: list[Message]) -> dict[UUID, ReceivedReply]:
    """What the lead means by those messages that are replies, by message."""
    ids = [message.pk for message in shown if message.label]
    if not ids:
        return {}
    rows = ReceivedReply.objects.filter(message__in=ids).prefetch_related("classifications")
    return {reply.message_id: reply for reply in rows}


def _with_draft(form: ReplyForm, name: str) -> ReplyForm:
    """Let the browser keep what is typed, by person and conversation, until it is sent or they log out."""
    form.fields["content"].widget.attrs["data-draft"] = name
    return form


def _ways(found: Conversation) -> list[dict[str, Any]]:
    """The channels of the composer; blocked ones say why."""
    lead = found.lead
    reach = reach_of_lead(lead, {opt_out.channel for opt_out in OptOut.objects.of(lead)})
    routes = []
    for usable in usable_by(found.source_id):
        shown = usable_json(usable, reach)
        label = usable.connection.get_kind_display()
        address = {"email": lead.email, "phone": lead.phone_e164}.get(CHANNELS[usable.kind].address, "")
        shown["words"] = REASONS.get(shown["reason"] or "", "")
        shown["label"] = f"{label} to {address}" if shown["available"] else label
        routes.append(shown)
    # As a reply chooses for itself: by what the lead used last.
    return sorted(routes, key=lambda way: (not way["available"], way["id"] != found.lead_connection_id))
