"""Change many conversations at once, and undo it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership, User
from accounts.rights import Right
from conversations.models import Conversation
from conversations.models.conversations import ConversationQuerySet
from conversations.services import filing, lifecycle
from core.problems import Invalid, Refusal
from inbox.models import BulkChange
from inbox.reading import mark_read, mark_unread

SELECTED_MAX = 100  # conversations in one change
Action = BulkChange.Action


@dataclass(frozen=True)
class Wanted:
    """What is to be done with each of the conversations."""

    action: BulkChange.Action
    to: User | None = None  # assign: to whom; None: to nobody
    until: datetime | None = None  # snooze
    tag: str = ""


def change_all(*, membership: Membership, actor: Actor, ids: Sequence[UUID], wanted: Wanted) -> BulkChange:
    """Do it with each conversation that the member may answer in. Those that cannot be changed are counted.

    Each is changed in a transaction of its own, in the order of their ids, so that two people who change the same ones
    do not wait for each other in a circle.
    """
    rows = answerable(membership, ids[:SELECTED_MAX]).select_related("assignee").order_by("pk")
    before: dict[str, Any] = {}
    refused = 0
    for row in rows:
        try:
            was = _DO[wanted.action](row, wanted, membership, actor)
        except (Refusal, Invalid):
            refused += 1
        else:
            before |= {} if was is _UNCHANGED else {str(row.pk): was}
    return BulkChange.objects.create(
        organization_id=membership.organization_id,
        user_id=membership.user_id,
        action=wanted.action,
        value=str(wanted.to or wanted.tag or "")[:250],
        before=before,
        refused=refused,
    )


def undo(*, change: BulkChange, membership: Membership, actor: Actor) -> int:
    """Put back what a bulk change changed, once. What somebody has changed since then stays. Return how many.

    Too late or a second time nothing is done.
    """
    with transaction.atomic():
        locked = BulkChange.objects.select_for_update().get(pk=change.pk)
        if not locked.can_be_undone:
            return 0
        locked.undone_at = timezone.now()
        locked.save(update_fields=["undone_at"])
    count = 0
    for row in answerable(membership, [UUID(key) for key in locked.before]).select_related("assignee").order_by("pk"):
        try:
            count += _UNDO[Action(locked.action)](row, locked, membership, actor)
        except (Refusal, Invalid):
            continue
    return count


def answerable(membership: Membership, ids: Sequence[UUID]) -> ConversationQuerySet:
    """Return conversations of the member's organization by their ids, as far as the member may answer in them."""
    rows: ConversationQuerySet = Conversation.objects.visible_to(membership.user, Right.ANSWER)
    return rows.filter(organization=membership.organization_id, pk__in=ids)


_UNCHANGED = object()  # it was so already


def _assign(row: Conversation, wanted: Wanted, membership: Membership, actor: Actor) -> Any:
    if row.assignee_id == (wanted.to.pk if wanted.to else None):
        return _UNCHANGED
    lifecycle.assign(conversation_id=row.pk, to=wanted.to, actor=actor)
    return [str(row.assignee_id or ""), str(wanted.to.pk if wanted.to else "")]


def _close(row: Conversation, wanted: Wanted, membership: Membership, actor: Actor) -> Any:
    if not row.is_open:
        return _UNCHANGED
    lifecycle.close(conversation_id=row.pk, actor=actor)
    return row.snoozed_until.isoformat() if row.is_snoozed and row.snoozed_until else ""


def _snooze(row: Conversation, wanted: Wanted, membership: Membership, actor: Actor) -> Any:
    assert wanted.until  # noqa: S101  the form has made sure of it
    filing.snooze(conversation_id=row.pk, until=wanted.until, actor=actor)
    return wanted.until.isoformat()


def _tag(row: Conversation, wanted: Wanted, membership: Membership, actor: Actor) -> Any:
    tagged = filing.change_tags(conversation_id=row.pk, add=wanted.tag, actor=actor)
    added = set(tagged.tags) - set(row.tags)
    return added.pop() if added else _UNCHANGED


def _read(row: Conversation, wanted: Wanted, membership: Membership, actor: Actor) -> Any:
    mark_read(membership, [row])
    lifecycle.mark_read(row)
    return ""


_DO: dict[str, Callable[[Conversation, Wanted, Membership, Actor], Any]] = {
    Action.ASSIGN: _assign,
    Action.CLOSE: _close,
    Action.SNOOZE: _snooze,
    Action.TAG: _tag,
    Action.READ: _read,
}


def _assign_back(row: Conversation, change: BulkChange, membership: Membership, actor: Actor) -> bool:
    before, after = change.before[str(row.pk)]
    if str(row.assignee_id or "") != after:
        return False
    lifecycle.assign(conversation_id=row.pk, to=User.objects.filter(pk=before).first() if before else None, actor=actor)
    return True


def _reopen(row: Conversation, change: BulkChange, membership: Membership, actor: Actor) -> bool:
    if row.is_open:
        return False
    lifecycle.reopen(conversation_id=row.pk, actor=actor)
    until = change.before[str(row.pk)]
    if until and datetime.fromisoformat(until) > timezone.now():
        filing.snooze(conversation_id=row.pk, until=datetime.fromisoformat(until), actor=actor)
    return True


def _unsnooze(row: Conversation, change: BulkChange, membership: Membership, actor: Actor) -> bool:
    if row.snoozed_until is None or row.snoozed_until.isoformat() != change.before[str(row.pk)]:
        return False
    filing.unsnooze(conversation_id=row.pk, actor=actor)
    return True


def _untag(row: Conversation, change: BulkChange, membership: Membership, actor: Actor) -> bool:
    filing.change_tags(conversation_id=row.pk, remove=change.before[str(row.pk)], actor=actor)
    return True


def _unread(row: Conversation, change: BulkChange, membership: Membership, actor: Actor) -> bool:
    mark_unread(membership, [row])
    return True


_UNDO: dict[str, Callable[[Conversation, BulkChange, Membership, Actor], bool]] = {
    Action.ASSIGN: _assign_back,
    Action.CLOSE: _reopen,
    Action.SNOOZE: _unsnooze,
    Action.TAG: _untag,
    Action.READ: _unread,
}
