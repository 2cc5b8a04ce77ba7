"""Change many conversations at once, and undo it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership, User
from accounts.rights import Right
from conversations.models import Conversation
from conversations.models.conversations import ConversationQuerySet
from conversations.services import filing, lifecycle
from core.problems import Invalid, Refusal
from inbox.models import BulkChange
from inbox.reading import mark_read, mark_unread, unread_of

SELECTED_MAX = 100  # conversations in one change
Action = BulkChange.Action


@dataclass(frozen=True)
class Wanted:
    """What is to be done with each of the conversations."""

    action: BulkChange.Action
    to: User | None = None  # assign: to whom; None: to nobody
    until: datetime | None = None  # snooze
    tag: str = ""
    seen_at: datetime | None = None  # read: when the list was drawn that showed them


@dataclass(frozen=True)
class Doer:
    """Who changes them."""

    membership: Membership
    actor: Actor


def change_all(*, membership: Membership, actor: Actor, ids: Sequence[UUID], wanted: Wanted) -> BulkChange:
    """Do it with each conversation that the member may answer in. Those that cannot be changed are counted.

    Each is changed in a transaction of its own, together with what undo needs: whatever breaks half-way, what was done
    can be undone. They go in the order of their ids, so that two people do not wait for each other in a circle.
    """
    change = BulkChange.objects.create(
        organization_id=membership.organization_id, user_id=membership.user_id, action=wanted.action
    )
    doer = Doer(membership, actor)
    for key in answerable(membership, ids[:SELECTED_MAX]).order_by("pk").values_list("pk", flat=True):
        try:
            with transaction.atomic():
                before = _DO[wanted.action](Conversation.objects.locked(key), wanted, doer)
                if before is not UNCHANGED:
                    change.before[str(key)] = before
                    change.save(update_fields=["before"])
        except (Refusal, Invalid, DatabaseError):
            change.before.pop(str(key), None)
            change.refused += 1
    change.save(update_fields=["before", "refused"])
    return change


def undo(*, change: BulkChange, membership: Membership, actor: Actor) -> int:
    """Put back what a bulk change changed. What somebody has changed since then stays. Return how many.

    Too late or a second time nothing is done. Each goes in a transaction of its own and is then done with.
    """
    if not change.can_be_undone:
        return 0
    count = 0
    for key in (
        answerable(membership, [UUID(text) for text in change.before]).order_by("pk").values_list("pk", flat=True)
    ):
        try:
            count += _undo_one(change, key, Doer(membership, actor))
        except (Refusal, Invalid, DatabaseError):
            continue
    BulkChange.objects.filter(pk=change.pk).update(undone_at=timezone.now())
    return count


@transaction.atomic
def _undo_one(change: BulkChange, key: UUID, doer: Doer) -> bool:
    locked = BulkChange.objects.select_for_update().get(pk=change.pk)
    if str(key) not in locked.before:  # another press was faster
        return False
    before = locked.before.pop(str(key))
    locked.save(update_fields=["before"])
    return _UNDO[Action(locked.action)](Conversation.objects.locked(key), before, doer)


def answerable(membership: Membership, ids: Sequence[UUID]) -> ConversationQuerySet:
    """Return conversations of the member's organization by their ids, as far as the member may answer in them."""
    rows: ConversationQuerySet = Conversation.objects.visible_to(membership.user, Right.ANSWER)
    return rows.filter(organization=membership.organization_id, pk__in=ids)


UNCHANGED = object()  # it was so already

# Each takes a locked conversation, and returns what undo needs to know of it.


def _assign(row: Conversation, wanted: Wanted, doer: Doer) -> Any:
    before = row.assignee_id
    if before == (wanted.to.pk if wanted.to else None):
        return UNCHANGED
    lifecycle.assign(conversation_id=row.pk, to=wanted.to, actor=doer.actor)
    return [str(before or ""), str(wanted.to.pk if wanted.to else "")]


def _close(row: Conversation, wanted: Wanted, doer: Doer) -> Any:
    if not row.is_open:
        return UNCHANGED
    closed = lifecycle.close(conversation_id=row.pk, actor=doer.actor)
    assert closed.closed_at  # noqa: S101  it was open, and is locked
    return [closed.closed_at.isoformat(), row.snoozed_until.isoformat() if row.snoozed_until else ""]


def _snooze(row: Conversation, wanted: Wanted, doer: Doer) -> Any:
    assert wanted.until  # noqa: S101  the form has made sure of it
    before = row.snoozed_until.isoformat() if row.snoozed_until else ""
    filing.snooze(conversation_id=row.pk, until=wanted.until, actor=doer.actor)
    return [before, wanted.until.isoformat()]


def _tag(row: Conversation, wanted: Wanted, doer: Doer) -> Any:
    tagged = filing.change_tags(conversation_id=row.pk, add=wanted.tag, actor=doer.actor)
    added = set(tagged.tags) - set(row.tags)
    return added.pop() if added else UNCHANGED


def _read(row: Conversation, wanted: Wanted, doer: Doer) -> Any:
    """Mark it as read as the list showed it: what came since then stays unread."""
    seen_at = wanted.seen_at or timezone.now()
    was_unread = row.pk in unread_of(doer.membership, [row])
    if not was_unread and not row.unread_at:
        return UNCHANGED
    before = [was_unread, row.unread_at.isoformat() if row.unread_at else ""]
    mark_read(doer.membership, row, until=seen_at)
    if row.last_news_at is None or row.last_news_at <= seen_at:
        lifecycle.mark_read(row)
    return before


_DO: dict[str, Callable[[Conversation, Wanted, Doer], Any]] = {
    Action.ASSIGN: _assign,
    Action.CLOSE: _close,
    Action.SNOOZE: _snooze,
    Action.TAG: _tag,
    Action.READ: _read,
}

# Each takes a locked conversation and what was remembered, and returns whether it put something back.


def _assign_back(row: Conversation, before: Any, doer: Doer) -> bool:
    previous, ours = before
    if str(row.assignee_id or "") != ours:
        return False
    person = User.objects.filter(pk=previous).first() if previous else None
    lifecycle.assign(conversation_id=row.pk, to=person, actor=doer.actor)
    return True


def _reopen(row: Conversation, before: Any, doer: Doer) -> bool:
    closed_at, until = before
    if row.closed_at is None or row.closed_at.isoformat() != closed_at:
        return False
    lifecycle.reopen(conversation_id=row.pk, actor=doer.actor)
    if until and datetime.fromisoformat(until) > timezone.now():
        filing.snooze(conversation_id=row.pk, until=datetime.fromisoformat(until), actor=doer.actor)
    return True


def _snooze_back(row: Conversation, before: Any, doer: Doer) -> bool:
    previous, ours = before
    if row.snoozed_until is None or row.snoozed_until.isoformat() != ours:
        return False
    if previous and datetime.fromisoformat(previous) > timezone.now():
        filing.snooze(conversation_id=row.pk, until=datetime.fromisoformat(previous), actor=doer.actor)
    else:
        filing.unsnooze(conversation_id=row.pk, actor=doer.actor)
    return True


def _untag(row: Conversation, before: Any, doer: Doer) -> bool:
    if before not in row.tags:
        return False
    filing.change_tags(conversation_id=row.pk, remove=before, actor=doer.actor)
    return True


def _unread(row: Conversation, before: Any, doer: Doer) -> bool:
    was_unread, unread_at = before
    if was_unread:
        mark_unread(doer.membership, row)
    if unread_at and row.unread_at is None:
        Conversation.objects.filter(pk=row.pk).update(unread_at=datetime.fromisoformat(unread_at))
    return True


_UNDO: dict[str, Callable[[Conversation, Any, Doer], bool]] = {
    Action.ASSIGN: _assign_back,
    Action.CLOSE: _reopen,
    Action.SNOOZE: _snooze_back,
    Action.TAG: _untag,
    Action.READ: _unread,
}
