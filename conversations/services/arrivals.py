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
    lead = who.lead
    conversation, is_opened = _conversation_for(source, lead, words, into)
    message = Message.objects.create(
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
    _touch(conversation, message)
    _publish_arrival(source, who, conversation, message, is_opened=is_opened)
    return Arrived(lead, conversation, message)


def _conversation_for(
    source: Source, lead: Lead, words: InboundContent, into: Conversation | None
) -> tuple[Conversation, bool]:
    """The conversation that goes on, reopened if need be, else a new one; and whether it is new."""
    conversation = None
    if not words.opens_conversation:
        rows = Conversation.objects.filter(lead=lead).select_for_update(no_key=True)
        if into:
            conversation = rows.filter(pk=into.pk).first()
        else:
            conversation = rows.open().newest_first().first() or rows.closed().newest_first().first()
    if conversation and conversation.may_reopen:
        if not conversation.is_open:
            conversation.closed_at = conversation.closed_by = None
            conversation.save(update_fields=["closed_at", "closed_by"])
        return conversation, False
    title = words.title.strip()[:TITLE_LENGTH] or "New conversation"
    return (
        Conversation.objects.create(
            organization_id=lead.organization_id, source=source, lead=lead, title=title, connection=words.connection
        ),
        True,
    )


def _touch(conversation: Conversation, message: Message) -> None:
    """Bring the conversation's columns about its last message up to date; its row is locked."""
    now = timezone.now()
    conversation.unread_at = conversation.unread_at or now
    conversation.waiting_since = conversation.waiting_since or now
    conversation.last_message_at, conversation.last_message_id = message.created_at, message.pk
    conversation.last_words = last_words(message.content)
    conversation.last_direction = message.direction
    conversation.connection = message.connection or conversation.connection
    conversation.lead_connection = message.connection or conversation.lead_connection
    conversation.sequence += 1
    conversation.save(
        update_fields=[
            "unread_at", "waiting_since", "last_message_at", "last_message_id", "last_words", "last_direction",
            "connection", "lead_connection", "sequence",
        ]
    )  # fmt: skip


def last_words(content: str) -> str:
    """The beginning of a message on one line, for lists."""
    return " ".join(content[: LAST_WORDS_LENGTH * 4].split())[:LAST_WORDS_LENGTH]


def _publish_arrival(
    source: Source, who: Identified, conversation: Conversation, message: Message, *, is_opened: bool
) -> None:
    lead = who.lead
    changed = {"last_message_at": timezone.now()}
    if is_opened and lead.returned_at is None and _had_another(conversation):
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
