"""What the page of a conversation shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from conversations.models import Conversation, ConversationChange, Label, Message, ReceivedReply
from conversations.reachability import reach_of_lead, usable_json
from conversations.services.team import team_of
from core.ids import encode
from inbox.forms import SnoozeForm
from inbox.live import thread_version
from leads.models import OptOut
from messaging.models import ChannelConnection, InboundMail, MessageTemplate
from messaging.models.connections import usable_by
from messaging.registry import CHANNELS
from messaging.segments import segments

TIMELINE_SHOWN = 200  # messages, and as many changes
CORRECTABLE = [(label.value, label.label) for label in Label if label != Label.BOUNCE]
REASONS = {
    "no_email": "the lead has no email address",
    "no_phone": "the lead has no phone number",
    "opted_out": "the lead wants no messages here",
    "not_connected": "not connected",
    "outside_window": "last message over 24 hours ago, send a template",
    "receives_only": "only receives",
}


def conversation_values(conversation: Conversation) -> dict[str, Any]:
    """Return what the thread and the panel of its lead show. The conversation has its lead and source loaded."""
    version = thread_version(conversation.pk)  # before what it is the version of: rather too old than too new
    rows = Message.objects.filter(conversation=conversation).prefetch_related("status_changes", "attachments")
    newest = list(rows.order_by("-id")[: TIMELINE_SHOWN + 1])
    mails = InboundMail.objects.filter(message_id__in=[message.pk for message in newest]).exclude(header_id="")
    opt_outs = list(OptOut.objects.of(conversation.lead))
    ways = _ways(conversation, opt_outs)
    connections = _connections(newest)
    return {
        "conversation": conversation,
        "lead": conversation.lead,
        "thread_version": version,
        "entries": _timeline(conversation, newest[:TIMELINE_SHOWN]),
        "has_older": len(newest) > TIMELINE_SHOWN,
        "whole_mails": dict(mails.values_list("message_id", "has_html")),
        "connections": {key: row.get_kind_display() for key, row in connections.items()},
        "segments": _segments(newest, connections),
        "replies": _replies(newest),
        "labels": CORRECTABLE,
        "last": next((message.public_id for message in newest if not message.is_note and not message.is_automatic), ""),
        "routes": ways,
        "is_outside_window": any(way["reason"] == "outside_window" for way in ways),
        "templates": sendable_templates(conversation),
        "opt_outs": opt_outs,
        "others": Conversation.objects.filter(lead=conversation.lead).exclude(pk=conversation.pk).newest_first()[:10],
        "people": [(encode("usr", person.pk), str(person)) for person in team_of(conversation)],
        "assignee": encode("usr", conversation.assignee_id) if conversation.assignee_id else "",
        "snooze_form": SnoozeForm(),
    }


def _timeline(conversation: Conversation, newest: list[Message]) -> list[dict[str, Any]]:
    """The messages, the oldest first, and between them what was done with the conversation."""
    changes = ConversationChange.objects.filter(conversation=conversation).order_by("-id")[:TIMELINE_SHOWN]
    since = newest[-1].created_at if newest else None
    lines = [
        {"at": change.created_at, "change": change} for change in changes if not since or change.created_at >= since
    ]
    lines += [{"at": message.created_at, "message": message} for message in newest]
    return sorted(lines, key=lambda line: line["at"])


def _version(message: Message) -> str:
    """A text that changes when what is shown of a message changes."""
    files = ",".join(file.state for file in message.attachments.all())
    return f"{message.status}-{message.label}-{len(message.status_changes.all())}-{files}"


def _connections(shown: list[Message]) -> dict[int, ChannelConnection]:
    """The connections by which messages came or went."""
    return ChannelConnection.objects.in_bulk({message.connection_id for message in shown if message.connection_id})


def _segments(shown: list[Message], connections: dict[int, ChannelConnection]) -> dict[UUID, int]:
    """In how many SMS each of ours went that took more than one."""
    by_sms = {key for key, connection in connections.items() if connection.kind == ChannelConnection.Kind.SMS}
    sent = (message for message in shown if message.connection_id in by_sms and not message.is_inbound)
    return {message.pk: count for message in sent if (count := segments(message.content)) > 1}


def _replies(shown: list[Message]) -> dict[UUID, ReceivedReply]:
    """What the lead means by those messages that are replies, by message."""
    ids = [message.pk for message in shown if message.label]
    if not ids:
        return {}
    rows = ReceivedReply.objects.filter(message__in=ids).prefetch_related("classifications")
    return {reply.message_id: reply for reply in rows}


def _ways(conversation: Conversation, opt_outs: list[OptOut]) -> list[dict[str, Any]]:
    """The channels of the composer; blocked ones say why."""
    lead = conversation.lead
    reach = reach_of_lead(lead, {opt_out.channel for opt_out in opt_outs})
    routes = []
    for usable in usable_by(conversation.source_id):
        shown = usable_json(usable, reach)
        label = usable.connection.get_kind_display()
        address = {"email": lead.email, "phone": lead.phone_e164}.get(CHANNELS[usable.kind].address, "")
        shown["words"] = REASONS.get(shown["reason"] or "", "")
        shown["label"] = f"{label} to {address}" if shown["available"] else label
        routes.append(shown)
    # As a reply chooses for itself: by what the lead used last.
    return sorted(routes, key=lambda way: (not way["available"], way["id"] != conversation.lead_connection_id))


def sendable_templates(conversation: Conversation) -> list[MessageTemplate]:
    """The templates that can be sent to the lead, by the connections that the source uses."""
    kinds = [slug for slug, channel in CHANNELS.items() if channel.window]
    usable = usable_by(conversation.source_id).filter(kind__in=kinds, connection__disconnected_at=None)
    ids = list(usable.values_list("connection_id", flat=True))
    return list(MessageTemplate.objects.sendable().filter(connection__in=ids)) if ids else []
