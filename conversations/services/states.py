"""Open, close, retry, read: what the team does with a conversation."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.services.arrivals import publish_for
from conversations.services.replies import Author, Reply, send_reply
from integrations.event_types import EventType
from integrations.problems import Refusal


@transaction.atomic
def close(*, conversation_id: UUID, by: User) -> Conversation:
    """Close a conversation. Closing a closed one changes nothing."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if conversation.is_open:
        conversation.closed_at, conversation.closed_by = timezone.now(), by
        conversation.waiting_since = conversation.unread_at = None
        conversation.save(update_fields=["closed_at", "closed_by", "waiting_since", "unread_at"])
        publish_for(EventType.CONVERSATION_CLOSED, conversation)
    return conversation


@transaction.atomic
def reopen(*, conversation_id: UUID) -> Conversation:
    """Open a closed conversation again."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if not conversation.is_open:
        conversation.closed_at = conversation.closed_by = None
        conversation.save(update_fields=["closed_at", "closed_by"])
        publish_for(EventType.CONVERSATION_OPENED, conversation)
    return conversation


@transaction.atomic
def retry(*, message: Message, author: Author) -> Message:
    """Send a failed message again, as a new one that says so. Raise Refusal `message.notFailed`.

    Only the team reopens a closed conversation by it.
    """
    locked = Message.objects.select_for_update().get(pk=message.pk)
    if not locked.has_failed:
        raise Refusal(409, "message.notFailed", "Only a message that failed can be sent again.")
    if Message.objects.filter(retry_of=locked).exclude(status=Message.Status.FAILED).exists():
        raise Refusal(409, "message.notFailed", "This message was sent again already.")
    is_staff = author.kind is Message.Author.STAFF
    reply = Reply(locked.content, locked.conversation_id, locked.connection_id, reopens=is_staff)
    return send_reply(lead_id=locked.lead_id, reply=reply, author=author, retry_of=locked.pk)


def mark_read(conversation: Conversation) -> None:
    """Somebody of the team looks at it."""
    if conversation.is_unread:
        Conversation.objects.filter(pk=conversation.pk).update(unread_at=None)
        conversation.unread_at = None
