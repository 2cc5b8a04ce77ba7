"""What a lead says becomes a message in a conversation, and one event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from accounts.models import Source
from conversations.models import Conversation, ConversationChange, Message
from conversations.models.conversations import TITLE_LENGTH
from conversations.services.attachments import FileReceived, describe
from conversations.services.changes import record_change
from conversations.services.events import draft_event, keep_withheld
from conversations.services.received_replies import judge, record_reply
from leads.models import Lead
from leads.services import Identified
from messaging.models import ChannelConnection
from webhooks.event_types import EventType
from webhooks.publishing import publish

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
    subject: str = ""  # of a mail
    is_unverified: bool = False  # the sender may be somebody else
    said_at: datetime | None = None
    files: list[FileReceived] = field(default_factory=list)
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
    verdict = judge(message, subject=words.subject) if conversation.answered_at else None
    was_closed = not conversation.is_open
    _touch(conversation, message)
    conversation.save(force_insert=is_opened, update_fields=None if is_opened else TOUCHED)
    if was_closed:
        record_change(conversation, ConversationChange.Kind.REOPENED, None)
    message.save(force_insert=True)
    describe(message, words.files)
    _publish_arrival(source, who, conversation, message, is_opened=is_opened)
    if verdict:
        record_reply(conversation, message, verdict)
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
        is_unverified=words.is_unverified,
        attachment_count=len(words.files),
        status=Message.Status.RECEIVED,
    )


TOUCHED = [
    "unread_at", "waiting_since", "last_message_at", "last_message_id", "last_words", "last_direction", "connection",
    "lead_connection", "sequence", "closed_at", "closed_by", "last_news_at", "snoozed_until",
]  # fmt: skip


def _touch(conversation: Conversation, message: Message) -> None:
    """Set the conversation's columns about its last message, and open it. Its row is locked or new."""
    now = timezone.now()
    conversation.closed_at = conversation.closed_by = conversation.snoozed_until = None
    conversation.last_news_at = now
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
    keep_withheld(lead, published, **changed)


def _had_another(conversation: Conversation) -> bool:
    """True when its lead is known from an earlier one. An imported lead is new until it has one."""
    return Conversation.objects.filter(lead=conversation.lead_id).exclude(pk=conversation.pk).exists()
