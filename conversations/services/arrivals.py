"""What a lead says becomes a message in a conversation, and one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F
from django.utils import timezone

from accounts.models import Source
from conversations.models import Conversation, Message
from conversations.models.conversations import TITLE_LENGTH
from conversations.presentation import message_json
from core.ids import encode
from leads.models import Lead, OptOut
from leads.presentation import lead_json
from leads.services import Identified
from messaging.models import ChannelConnection
from webhooks.event_types import EventType
from webhooks.publishing import EventDraft, Published, publish

LAST_WORDS_LENGTH = 160


@dataclass
class InboundContent:
    """What came in, and by which connection."""

    content: str
    title: str
    connection: ChannelConnection | None = None
    quoted_text: str = ""
    external_id: str = ""
    repeat_key: str = ""
    author_name: str = ""
    said_at: datetime | None = None
    opens_conversation: bool = False  # POST /v1/leads always opens one; channels go on with the one there is


@dataclass(frozen=True)
class Arrived:
    lead: Lead
    conversation: Conversation
    message: Message


def arrive(*, source: Source, who: Identified, words: InboundContent, into: Conversation | None = None) -> Arrived:
    """Write the lead's message and publish exactly one event. The lead's row is locked already."""
    conversation = None if words.opens_conversation or who.is_created else _ongoing(who.lead, into)
    is_opened = conversation is None
    conversation = conversation or _new_conversation(source, who.lead, words)
    message = _new_message(source, who.lead, words, conversation)
    _touch(conversation, message)
    conversation.save(force_insert=is_opened, update_fields=None if is_opened else TOUCHED)
    message.save(force_insert=True)
    _publish_arrival(source, who, conversation, message, is_opened=is_opened)
    return Arrived(who.lead, conversation, message)


def _ongoing(lead: Lead, into: Conversation | None) -> Conversation | None:
    """Return the conversation that goes on, locked: `into`, else the newest open one, else one that may reopen."""
    rows = Conversation.objects.filter(lead=lead).select_for_update(no_key=True)
    if into:
        conversation = rows.filter(pk=into.pk).first()
    else:
        conversation = rows.open().newest_first().first() or rows.closed().newest_first().first()
    return conversation if conversation and conversation.may_reopen else None


def _new_conversation(source: Source, lead: Lead, words: InboundContent) -> Conversation:
    """Return a new conversation that is not yet saved."""
    title = words.title.strip()[:TITLE_LENGTH] or "New conversation"
    return Conversation(
        organization_id=lead.organization_id, source=source, lead=lead, title=title, connection=words.connection
    )


def _new_message(source: Source, lead: Lead, words: InboundContent, conversation: Conversation) -> Message:
    """Return the lead's message, which is not yet saved."""
    return Message(
        organization_id=lead.organization_id,
        source=source,
        lead=lead,
        conversation=conversation,
        connection=words.connection,
        direction=Message.Direction.INBOUND,
        author=Message.Author.LEAD,
        author_name=(words.author_name or lead.name)[:250],
        content=words.content,
        quoted_text=words.quoted_text,
        external_id=words.external_id,
        repeat_key=words.repeat_key,
        said_at=words.said_at,
        status=Message.Status.RECEIVED,
    )


TOUCHED = [
    "unread_at", "waiting_since", "last_message_at", "last_message_id", "last_words", "last_direction", "connection",
    "lead_connection", "sequence", "closed_at", "closed_by",
]  # fmt: skip


def _touch(conversation: Conversation, message: Message) -> None:
    """Set the conversation's columns about its last message, and open it. Its row is locked or new."""
    now = timezone.now()
    conversation.closed_at = conversation.closed_by = None
    conversation.unread_at = conversation.unread_at or now
    conversation.waiting_since = conversation.waiting_since or now
    conversation.last_message_at, conversation.last_message_id = message.created_at, message.pk
    conversation.last_words = last_words(message.content)
    conversation.last_direction = message.direction
    conversation.connection = message.connection or conversation.connection
    conversation.lead_connection = message.connection or conversation.lead_connection
    conversation.sequence += 1


def last_words(content: str) -> str:
    """The beginning of a message on one line, for lists."""
    return " ".join(content[: LAST_WORDS_LENGTH * 4].split())[:LAST_WORDS_LENGTH]


def _publish_arrival(
    source: Source, who: Identified, conversation: Conversation, message: Message, *, is_opened: bool
) -> None:
    lead = who.lead
    changed = {} if who.is_created else {"last_message_at": timezone.now()}
    if is_opened and not who.is_created and lead.returned_at is None and _had_another(conversation):
        lead.returned_at = changed["returned_at"] = timezone.now()
    if is_opened:
        event_type = EventType.LEAD_CREATED
    elif who.has_captured_contact:
        event_type = EventType.LEAD_CONTACT_CAPTURED
    else:
        event_type = EventType.MESSAGE_RECEIVED
    published = publish(draft_event(event_type, source, lead, conversation, message))
    _keep_withheld(lead, published, **changed)


def _had_another(conversation: Conversation) -> bool:
    """True when its lead is known from an earlier one. An imported lead is new until it has one."""
    return Conversation.objects.filter(lead=conversation.lead_id).exclude(pk=conversation.pk).exists()


def _keep_withheld(lead: Lead, published: Published, **changed: object) -> None:
    """Remember which endpoints were not told of this lead, with what else changed about it."""
    if published.not_announced_to != frozenset(lead.not_announced_to):
        changed["not_announced_to"] = lead.not_announced_to = list(published.not_announced_to)
    if changed:
        Lead.objects.filter(pk=lead.pk).update(**changed)


def draft_event(
    event_type: EventType, source: Source, lead: Lead, conversation: Conversation | None, message: Message | None
) -> EventDraft:
    """Describe an event of a lead, with the message as it is now. A lead may have no conversation: it was imported."""
    opted_out = OptOut.objects.of(lead) if lead.has_contact else []
    payload = {
        "lead": lead_json(lead, opted_out, source_name=source.name),
        "conversation_id": encode("conv", conversation.pk) if conversation else None,
        "message": message_json(message) if message else None,
    }
    return EventDraft(
        type=event_type,
        organization_id=lead.organization_id,
        source_id=source.pk,
        lead_id=lead.pk,
        conversation_id=conversation.pk if conversation else None,
        sequence=conversation.sequence if conversation else 0,
        payload=payload,
        has_message=message is not None,
        is_ready=lead.has_contact,
        is_new=lead.is_new,
        not_announced_to=frozenset(lead.not_announced_to),
    )


def publish_lead_event(event_type: EventType, lead: Lead) -> None:
    """Publish an event of a lead whose row is locked: its details or its consent changed.

    It takes its number from the lead's newest conversation, so that receivers can sort it.
    """
    conversation = Conversation.objects.filter(lead=lead).select_for_update(no_key=True).newest_first().first()
    if conversation:
        conversation.sequence += 1
        conversation.save(update_fields=["sequence"])
    _keep_withheld(lead, publish(draft_event(event_type, lead.source, lead, conversation, None)))


def publish_conversation_event(
    event_type: EventType, conversation: Conversation, message: Message | None = None
) -> None:
    """Publish an event of a conversation that is not an arrival: sent, failed, opened, closed. Locks its row."""
    Conversation.objects.filter(pk=conversation.pk).update(sequence=F("sequence") + 1)
    conversation.refresh_from_db(fields=["sequence"])
    lead = Lead.objects.get(pk=conversation.lead_id)
    publish(draft_event(event_type, conversation.source, lead, conversation, message))
