"""What open pages ask for every few seconds: whether anything changed, and who else is looking.

A page shows a state and not a stream of changes: it compares versions, and fetches what differs with its reader's own
rights. So nothing is missed after sleep or a restart, and nothing is applied twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation
from inbox.models import Presence

PRESENT_FOR = timedelta(seconds=12)  # after somebody was last heard of: an open page asks every 4 s (live.js)
TYPING_FOR = timedelta(seconds=8)
SEEN_AGAIN_AFTER = timedelta(seconds=5)

# xmin changes with each update of a row. Reports of providers change messages, the rest changes the conversation.
_THREAD_VERSION = """
SELECT concat_ws('-', c.xmin,
    (SELECT md5(string_agg(m.xmin::text, ',')) FROM (
        SELECT xmin FROM conversations_message WHERE conversation_id = c.id ORDER BY id DESC LIMIT 50) m),
    (SELECT ch.id FROM conversations_conversationchange ch WHERE ch.conversation_id = c.id ORDER BY ch.id DESC LIMIT 1))
FROM conversations_conversation c WHERE c.id = %s
"""
ROW_VERSION = "conversations_conversation.xmin::text"  # of a row of the list


def list_version(rows: Iterable[Conversation], unread: set[UUID]) -> str:
    """Return a short text that changes when a row of the list, its order or what is unread changes.

    The rows are annotated with their `version` (ROW_VERSION).
    """
    digest = blake2b(digest_size=12)
    for row in rows:
        digest.update(f"{row.pk}{row.version}{'u' if row.pk in unread else ''},".encode())  # type: ignore[attr-defined]
    return digest.hexdigest()


def thread_version(conversation_id: UUID) -> str:
    """Return a short text that changes when anything in the conversation changes."""
    with connection.cursor() as cursor:
        cursor.execute(_THREAD_VERSION, [conversation_id])
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def look(user: User, conversation: Conversation, *, is_typing: bool) -> list[str]:
    """Remember that somebody looks at a conversation. Return who else does, in words."""
    now = timezone.now()
    mine = Presence.objects.filter(user=user, conversation=conversation)
    fresh = mine.filter(seen_at__gt=now - SEEN_AGAIN_AFTER, typed_at__isnull=not is_typing)
    if not fresh.exists():
        Presence.objects.bulk_create(
            [Presence(user=user, conversation=conversation, seen_at=now, typed_at=now if is_typing else None)],
            update_conflicts=True,
            unique_fields=["conversation", "user"],
            update_fields=["seen_at", "typed_at"],
        )
    others = Presence.objects.filter(conversation=conversation, seen_at__gt=now - PRESENT_FOR).exclude(user=user)
    return [
        f"{other.user} is {'typing' if other.typed_at and other.typed_at > now - TYPING_FOR else 'here too'}."
        for other in others.select_related("user").order_by("user__name", "user_id")
    ]
