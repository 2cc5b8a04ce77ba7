"""Who has read what: each member for themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import Membership
from conversations.models import Conversation
from inbox.models import ReadMark


def mark_read(membership: Membership, conversations: Iterable[Conversation]) -> None:
    """Remember that the member has seen these conversations as they are now."""
    now = timezone.now()
    _write([ReadMark(user_id=membership.user_id, conversation=row, read_at=now) for row in conversations])


def mark_unread(membership: Membership, conversations: Iterable[Conversation]) -> None:
    """Show them as unread again, from just before the newest thing in them."""
    marks = []
    for row in conversations:
        if row.last_news_at:
            before = row.last_news_at - timedelta(microseconds=1)
            marks.append(ReadMark(user_id=membership.user_id, conversation=row, read_at=before))
    _write(marks)


def unread_of(membership: Membership, conversations: Iterable[Conversation]) -> set[UUID]:
    """Return which of these are unread by the member: something came since they read them, or joined."""
    news = {row.pk: row.last_news_at for row in conversations if row.is_open and row.last_news_at}
    marks = ReadMark.objects.filter(user=membership.user_id, conversation__in=news)
    read = dict(marks.values_list("conversation_id", "read_at"))
    return {key for key, at in news.items() if at > read.get(key, membership.created_at)}


def _write(marks: list[ReadMark]) -> None:
    ReadMark.objects.bulk_create(
        marks, update_conflicts=True, unique_fields=["user", "conversation"], update_fields=["read_at"]
    )
