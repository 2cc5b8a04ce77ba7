"""Who has read what: each member for themselves.

A conversation is unread for a member when something came in it since they read it, or joined, or when they marked it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from accounts.models import Membership
from conversations.models import Conversation
from conversations.models.conversations import ConversationQuerySet
from inbox.models import ReadMark


def mark_read(membership: Membership, conversation: Conversation, until: datetime | None = None) -> None:
    """Remember that the member has seen a conversation as it was loaded, or as it was at a time.

    The mark has the time of the newest thing in it and not of now: what comes while it is loaded stays unread.
    """
    news = conversation.last_news_at or conversation.created_at
    _write(membership, conversation, min(news, until) if until else news, is_unread=False)


def mark_unread(membership: Membership, conversation: Conversation) -> None:
    """Show it as unread again, until the member opens it."""
    _write(membership, conversation, conversation.last_news_at or conversation.created_at, is_unread=True)


def unread_of(membership: Membership, conversations: Iterable[Conversation]) -> set[UUID]:
    """Return which of these are unread by the member."""
    rows = {row.pk: row for row in conversations if row.is_open}
    marks = {
        mark.conversation_id: mark for mark in ReadMark.objects.filter(user=membership.user_id, conversation__in=rows)
    }
    return {key for key, row in rows.items() if _is_unread(row, marks.get(key), membership)}


def unread(rows: ConversationQuerySet, membership: Membership) -> ConversationQuerySet:
    """Those that are unread by the member: the same rule for a whole list."""
    marks = ReadMark.objects.filter(user=membership.user_id, conversation=OuterRef("pk"))
    marked = Exists(marks.filter(is_unread=True))
    read = Exists(marks.filter(read_at__gte=OuterRef("last_news_at")))
    return rows.open().filter(marked | (Q(last_news_at__gt=membership.created_at) & ~read))


def _is_unread(row: Conversation, mark: ReadMark | None, membership: Membership) -> bool:
    if mark and mark.is_unread:
        return True
    news = row.last_news_at
    return bool(news and news > membership.created_at and not (mark and mark.read_at >= news))


def _write(membership: Membership, conversation: Conversation, read_at: datetime, *, is_unread: bool) -> None:
    mark = ReadMark(user_id=membership.user_id, conversation=conversation, read_at=read_at, is_unread=is_unread)
    ReadMark.objects.bulk_create(
        [mark], update_conflicts=True, unique_fields=["user", "conversation"], update_fields=["read_at", "is_unread"]
    )
