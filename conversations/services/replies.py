"""Queue a message to a lead.

This is the one hot path on which the ORM costs more than the work, so it is two statements of SQL: load and lock,
write. Everybody who answers goes through it: the API, the team's screens, automation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import User
from conversations.models import Conversation, ConversationChange, Message
from conversations.services import uploads
from conversations.services.arrivals import last_words
from conversations.services.changes import record_change
from conversations.services.events import publish_conversation_event
from conversations.services.filing import take_over_by_answer
from conversations.services.recipients import Recipient, Route, load_recipient
from conversations.services.routes import choose_route
from conversations.services.templates import keep_template, use_template
from core.ids import uuid7
from core.problems import NotFound, Refusal
from messaging.base import Channel, FilledTemplate
from messaging.registry import CHANNELS
from outbox.models import Lane
from outbox.wakes import wake
from webhooks.event_types import EventType

ONLY_A_FILE = "(a file)"  # in lists, of a message without words


@dataclass(frozen=True)
class Author:
    """The author of an outbound message."""

    kind: Message.Author
    name: str
    user_id: UUID | None = None


def actor_of(author: Author) -> Actor:
    """Return who changes a conversation by answering in it."""
    return Actor(author.name, User.objects.filter(pk=author.user_id).first() if author.user_id else None)


@dataclass(frozen=True)
class Reply:
    """What is to be said, and where, as far as the author says it."""

    content: str
    conversation_id: UUID | None = None
    connection_id: int | None = None
    if_last_message_id: UUID | None = None
    template: FilledTemplate | None = None  # then it is the content, and may be sent at any time
    file_keys: Sequence[str] = ()  # of uploads
    reopens: bool = False  # the team may write into a closed conversation, which reopens it


_WRITE = """
WITH conversation AS (
    UPDATE conversations_conversation SET last_message_id = %(id)s, last_message_at = %(now)s,
        waiting_since = CASE WHEN %(author)s = 'automation' THEN waiting_since END,
        answered_at = coalesce(answered_at, %(now)s),
        last_words = %(words)s, last_direction = 'outbound', connection_id = %(connection)s,
        closed_at = NULL, closed_by_id = NULL
    WHERE id = %(conversation)s
), dispatch AS (
    INSERT INTO messaging_dispatch (id, lane_id, organization_id, source_id, attempts)
    VALUES (%(id)s, %(lane)s, %(organization)s, %(source)s, 0)
)
INSERT INTO conversations_message (id, organization_id, source_id, lead_id, conversation_id, connection_id, kind,
    direction, author, author_name, author_user_id, content, quoted_text, status, error_code, error_detail, retry_of_id,
    external_id, is_automatic, attachment_count, created_at)
VALUES (%(id)s, %(organization)s, %(source)s, %(lead)s, %(conversation)s, %(connection)s, 'message',
    'outbound', %(author)s, %(author_name)s, %(user)s, %(content)s, '', 'queued', '', '', %(retry_of)s,
    '', false, %(files)s, %(now)s)
"""


def queue_reply(
    *,
    lead_id: UUID,
    reply: Reply,
    author: Author,
    allow: Callable[[Recipient], None] = lambda recipient: None,
    retry_of: UUID | None = None,
) -> Message:
    """Queue a reply to a lead, in the caller's transaction. It is durable when that is.

    `allow` is the caller's own gate; it sees the lead before anything else is said about it. Raise Refusal with the
    code of `api.md` when the reply could never be delivered.
    """
    files = uploads.sizes_of(reply.file_keys, lead_id) if reply.file_keys else {}
    recipient = load_recipient(lead_id, reply.conversation_id)
    if recipient is None:
        raise NotFound("lead")
    allow(recipient)
    conversation_id = _repliable(recipient, reply, author)
    route = choose_route(recipient, reply.connection_id, has_template=reply.template is not None)
    content, template = use_template(route.id, reply.template) if reply.template else (reply.content, None)
    _refuse_unless_taken(CHANNELS[route.kind], content, files)
    message = _build(recipient, conversation_id, route, content, author, retry_of)
    message.attachment_count = len(files)
    _write(message, route)
    uploads.attach(message, files)
    if template:
        keep_template(message, template)
    if recipient.closed_at:  # the team wrote into it
        reopened = Conversation.objects.get(pk=conversation_id)
        record_change(reopened, ConversationChange.Kind.REOPENED, actor_of(author))
        publish_conversation_event(EventType.CONVERSATION_OPENED, reopened)
    if author.kind == Message.Author.STAFF and recipient.handled_by != Conversation.Holder.TEAM:
        take_over_by_answer(conversation_id, lambda: actor_of(author))
    wake(Lane.Kind.CHANNEL, [route.lane_id])
    return message


send_reply = transaction.atomic(queue_reply)  # for callers without a transaction, or that go on after a Refusal


def _repliable(recipient: Recipient, reply: Reply, author: Author) -> UUID:
    if recipient.conversation_id is None:
        if reply.conversation_id:
            raise NotFound("conversation")
        raise Refusal(409, "conversation.closed", "The lead has no open conversation.")
    if recipient.closed_at and not reply.reopens:
        raise Refusal(409, "conversation.closed", "This conversation is closed.")
    if recipient.handled_by == Conversation.Holder.TEAM and author.kind != Message.Author.STAFF:
        raise Refusal(409, "conversation.heldByTeam", "The team answers in this conversation. Wait for a hand-back.")
    if reply.if_last_message_id and reply.if_last_message_id != recipient.last_message_id:
        raise Refusal(409, "conversation.moved", "There is a newer message in this conversation. Read it first.")
    return recipient.conversation_id


def _refuse_unless_taken(channel: Channel, content: str, files: dict[str, int]) -> None:
    limit = channel.max_length or 0
    if files:
        uploads.check(channel, files)
        limit = channel.max_length_with_file or limit
    if len(content) > limit:
        beside = " with a file" if files and channel.max_length_with_file else ""
        raise Refusal(422, "content.tooLong", f"{channel.label} takes at most {limit} characters{beside}.")


def _build(
    recipient: Recipient, conversation_id: UUID, route: Route, content: str, author: Author, retry_of: UUID | None
) -> Message:
    return Message(
        id=uuid7(),
        organization_id=recipient.organization_id,
        source_id=recipient.source_id,
        lead_id=recipient.lead_id,
        conversation_id=conversation_id,
        connection_id=route.id,
        direction=Message.Direction.OUTBOUND,
        author=author.kind,
        author_name=author.name[:250],
        author_user_id=author.user_id,
        content=content,
        status=Message.Status.QUEUED,
        retry_of_id=retry_of,
        created_at=timezone.now(),
    )


def _write(message: Message, route: Route) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "id": message.pk,
                "now": message.created_at,
                "words": last_words(message.content) or ONLY_A_FILE,
                "files": message.attachment_count,
                "connection": route.id,
                "lane": route.lane_id,
                "organization": message.organization_id,
                "source": message.source_id,
                "lead": message.lead_id,
                "conversation": message.conversation_id,
                "author": message.author,
                "author_name": message.author_name,
                "user": message.author_user_id,
                "content": message.content,
                "retry_of": message.retry_of_id,
            },
        )
