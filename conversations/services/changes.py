"""The lines between the messages of a conversation: who closed, assigned, snoozed or took it over."""

from __future__ import annotations

from datetime import datetime

from accounts.actors import Actor
from conversations.models import Conversation, ConversationChange


def record_change(
    conversation: Conversation,
    kind: ConversationChange.Kind,
    actor: Actor | None,
    *,
    value: str = "",
    until: datetime | None = None,
) -> None:
    """Write one line, in the transaction of the change. Without an actor its time had come."""
    ConversationChange.objects.create(
        conversation=conversation,
        kind=kind,
        by=actor.user if actor else None,
        by_name=actor.name[:250] if actor else "",
        value=value[:250],
        until=until,
    )
