"""Conversations and messages as the API and webhooks show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import prefetch_related_objects

from accounts.models import User
from conversations.models import Attachment, Conversation, Message, ReceivedReply
from core.ids import encode, rfc3339

SNIPPET_MAX = 300  # characters


def message_json(message: Message) -> dict[str, Any]:
    error = {"code": message.error_code, "detail": message.error_detail} if message.error_code else None
    return {
        "id": message.public_id,
        "conversation_id": encode("conv", message.conversation_id),
        "kind": message.kind,
        "direction": message.direction,
        "author": {"kind": message.author, "name": message.author_name},
        "content": message.content,
        "attachments": attachments_json(message),
        "messaging_channel_connection_id": message.connection_id,
        "status": message.status,
        "error": error,
        "classification": message.label or None,
        "retry_of": encode("msg", message.retry_of_id) if message.retry_of_id else None,
        "created_at": rfc3339(message.created_at),
        "said_at": rfc3339(message.said_at),
        "sent_at": rfc3339(message.sent_at),
        "delivered_at": rfc3339(message.delivered_at),
        "read_at": rfc3339(message.read_at),
    }


def load_files(messages: Iterable[Message]) -> None:
    """Load the files of those messages that have some, all at once."""
    prefetch_related_objects([message for message in messages if message.attachment_count], "attachments")


def messages_json(messages: list[Message]) -> list[dict[str, Any]]:
    load_files(messages)
    return [message_json(message) for message in messages]


def attachments_json(message: Message) -> list[dict[str, Any]]:
    """Show the files of a message. Most have none, and are not asked about them."""
    return [attachment_json(attachment) for attachment in message.attachments.all()] if message.attachment_count else []


def attachment_json(attachment: Attachment) -> dict[str, Any]:
    return {
        "id": attachment.public_id,
        "name": attachment.name,
        "content_type": attachment.content_type,
        "size": attachment.size or None,
        "state": attachment.state,
        "url": attachment.api_url if attachment.can_be_had else None,
    }


def reply_json(reply: ReceivedReply) -> dict[str, Any]:
    """Show a reply of a lead; of a message that came back the reason."""
    message = reply.message
    words = message.error_detail if message.direction == Message.Direction.OUTBOUND else message.content
    return {
        "id": reply.public_id,
        "email": reply.lead.email or None,
        "campaignId": None,
        "classification": reply.label,
        "receivedAt": rfc3339(reply.received_at),
        "threadSnippet": " ".join(words[: SNIPPET_MAX * 4].split())[:SNIPPET_MAX],
        "leadId": encode("lead", reply.lead_id),
        "conversationId": encode("conv", reply.conversation_id),
        "channel": message.connection.kind if message.connection else None,
    }


def conversation_json(conversation: Conversation, messages: Iterable[Message], channel: str | None) -> dict[str, Any]:
    return {
        "id": conversation.public_id,
        "lead_id": encode("lead", conversation.lead_id),
        "source_id": encode("src", conversation.source_id),
        "title": conversation.title,
        "status": "open" if conversation.is_open else "closed",
        "messaging_channel_id": channel,
        "campaign_id": None,
        "assignee": assignee_json(conversation.assignee),
        "handled_by": conversation.handled_by,
        "snoozed_until": rfc3339(conversation.snoozed_until) if conversation.is_snoozed else None,
        "tags": conversation.tags,
        "created_at": rfc3339(conversation.created_at),
        "last_message_at": rfc3339(conversation.last_message_at),
        "messages": messages_json(list(messages)),
    }


def assignee_json(user: User | None) -> dict[str, Any] | None:
    return {"id": encode("usr", user.pk), "name": str(user)} if user else None
