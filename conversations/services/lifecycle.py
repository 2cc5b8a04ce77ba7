"""Open, close, retry, read: what the team does with a conversation."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import User
from accounts.reach import reach_of
from accounts.rights import Right
from conversations.models import Conversation, ConversationChange, Message
from conversations.services.changes import record_change
from conversations.services.events import publish_conversation_event
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.templates import template_of
from conversations.services.uploads import copy_files
from core.problems import Refusal
from webhooks.event_types import EventType


@transaction.atomic
def close(*, conversation_id: UUID, actor: Actor) -> Conversation:
    """Close a conversation. Closing a closed one changes nothing."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if conversation.is_open:
        conversation.closed_at, conversation.closed_by = timezone.now(), actor.user
        conversation.waiting_since = conversation.unread_at = conversation.snoozed_until = None
        conversation.save(update_fields=["closed_at", "closed_by", "waiting_since", "unread_at", "snoozed_until"])
        record_change(conversation, ConversationChange.Kind.CLOSED, actor)
        publish_conversation_event(EventType.CONVERSATION_CLOSED, conversation)
    return conversation


@transaction.atomic
def reopen(*, conversation_id: UUID, actor: Actor) -> Conversation:
    """Open a closed conversation again."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if not conversation.is_open:
        conversation.closed_at = conversation.closed_by = None
        conversation.waiting_since = _waiting_since(conversation)
        conversation.save(update_fields=["closed_at", "closed_by", "waiting_since"])
        record_change(conversation, ConversationChange.Kind.REOPENED, actor)
        publish_conversation_event(EventType.CONVERSATION_OPENED, conversation)
    return conversation


def _waiting_since(conversation: Conversation) -> datetime | None:
    """When the lead first wrote what nobody has answered yet; None when all is answered."""
    rows = Message.objects.filter(conversation=conversation, kind=Message.Kind.MESSAGE).order_by("id")
    answers = rows.filter(direction=Message.Direction.OUTBOUND).exclude(author=Message.Author.AUTOMATION)
    answered = answers.exclude(status=Message.Status.FAILED).last()
    inbound = rows.filter(direction=Message.Direction.INBOUND, is_automatic=False)
    first = (inbound.filter(pk__gt=answered.pk) if answered else inbound).first()
    return first.created_at if first else None


@transaction.atomic
def retry(*, message: Message, author: Author) -> Message:
    """Send a failed message again, as a new one that says so. Raise Refusal `message.notFailed`.

    Only the team reopens a closed conversation by it.
    """
    # The conversation first, as everybody locks: a late report of the provider may come at the same moment.
    Conversation.objects.select_for_update(no_key=True).get(pk=message.conversation_id)
    locked = Message.objects.select_for_update().get(pk=message.pk)
    if not locked.has_failed:
        raise Refusal(409, "message.notFailed", "Only a message that failed can be sent again.")
    if Message.objects.filter(retry_of=locked).exclude(status=Message.Status.FAILED).exists():
        raise Refusal(409, "message.notFailed", "This message was sent again already.")
    is_staff = author.kind is Message.Author.STAFF
    template = template_of(locked)
    reply = Reply(locked.content, locked.conversation_id, locked.connection_id, reopens=is_staff, template=template)
    again = send_reply(lead_id=locked.lead_id, reply=reply, author=author, retry_of=locked.pk)
    copy_files(locked, again)
    return again


@transaction.atomic
def assign(*, conversation_id: UUID, to: User | None, actor: Actor) -> Conversation:
    """Give a conversation to somebody of the team, or to nobody. Raise Refusal `assignee.notAllowed`."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if to and not reach_of(to, Right.ANSWER).includes(conversation.source):
        raise Refusal(422, "assignee.notAllowed", "This person may not answer for this source.")
    if conversation.assignee_id != (to.pk if to else None):
        before, conversation.assignee = str(conversation.assignee or ""), to
        conversation.save(update_fields=["assignee"])
        kind = ConversationChange.Kind.ASSIGNED if to else ConversationChange.Kind.UNASSIGNED
        record_change(conversation, kind, actor, value=str(to or ""))
        actor.record(
            "conversation.assign",
            organization=conversation.organization_id,
            target=conversation.public_id,
            source_id=conversation.source_id,
            before={"assignee": before},
            after={"assignee": str(to or "")},
        )
    return conversation


@transaction.atomic
def note(*, conversation: Conversation, content: str, author: Author) -> Message:
    """Write a note for the team: never sent, never quoted, in webhooks only if chosen."""
    return Message.objects.create(
        organization_id=conversation.organization_id,
        source_id=conversation.source_id,
        lead_id=conversation.lead_id,
        conversation=conversation,
        kind=Message.Kind.NOTE,
        direction=Message.Direction.INBOUND,
        author=author.kind,
        author_name=author.name[:250],
        author_user_id=author.user_id,
        content=content,
        status=Message.Status.RECEIVED,
    )


def mark_read(conversation: Conversation) -> None:
    """Somebody of the team looks at it."""
    if conversation.is_unread:
        Conversation.objects.filter(pk=conversation.pk).update(unread_at=None)
        conversation.unread_at = None
