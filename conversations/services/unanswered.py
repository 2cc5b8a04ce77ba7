"""Nobody answered: the alarm of a source, once for each wait.

Nothing is written when a lead arrives. Every few seconds one statement looks for those whose time has passed, by the
waiting times that are there anyway, so that the alarm costs intake nothing and survives whatever is killed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import letters
from accounts.actors import SYSTEM
from accounts.models import Letter, Source, User
from accounts.reach import reach_of
from accounts.rights import Right
from conversations.models import Conversation, ConversationChange, Message, OpeningHours, UnansweredRule
from conversations.opening_hours import Always, Open
from conversations.services.changes import record_change
from conversations.services.events import publish_conversation_event
from conversations.services.filing import hand_over
from conversations.services.replies import Author, Reply, queue_reply
from conversations.services.team import team_of
from core.problems import Refusal
from webhooks.event_types import EventType

logger = logging.getLogger(__name__)

AT_ONCE = 100  # alarms of one source in one look
AUTHOR = Author(Message.Author.AUTOMATION, "Automatic message")

# For each source: who has waited since before a moment, but not since before the rule was turned on (or each old lead
# would get its text), and whose wait has had no alarm.
_DUE = """
SELECT c.id, due.before, due.rule FROM unnest(%(sources)s::uuid[], %(before)s::timestamptz[], %(rules)s::uuid[],
    %(since)s::timestamptz[]) AS due(source, before, rule, since)
CROSS JOIN LATERAL (
    SELECT id FROM conversations_conversation
    WHERE source_id = due.source AND closed_at IS NULL AND waiting_since <= due.before
        AND waiting_since >= due.since AND (snoozed_until IS NULL OR snoozed_until <= now())
        AND (unanswered_at IS NULL OR unanswered_at < waiting_since)
    ORDER BY waiting_since LIMIT %(limit)s
) c
"""


def raise_alarms() -> int:
    """Find the leads whom nobody has answered in time, and do what their source's rule says. Return how many."""
    now = timezone.now()
    rules = {rule.pk: rule for rule in UnansweredRule.objects.filter(is_on=True)}
    due = [(source.pk, before, rule.pk) for source, rule in _watched(rules) if (before := _before(source, rule, now))]
    if not due:
        return 0
    sources, moments, rule_ids = (list(column) for column in zip(*due, strict=True))
    since = [rules[rule_id].on_since for rule_id in rule_ids]
    values: dict[str, Any] = {
        "sources": sources,
        "before": moments,
        "rules": rule_ids,
        "since": since,
        "limit": AT_ONCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, values)
        overdue = cursor.fetchall()
    return sum(_alarm_safely(conversation_id, before, rules[rule_id]) for conversation_id, before, rule_id in overdue)


def _alarm_safely(conversation_id: UUID, before: datetime, rule: UnansweredRule) -> bool:
    """Raise one alarm; one that fails keeps no other back. It is tried again in the next look."""
    try:
        return _alarm(conversation_id, before, rule)
    except Exception:
        logger.exception("the alarm of conversation %s failed", conversation_id)
        return False


def _watched(rules: dict[UUID, UnansweredRule]) -> Iterator[tuple[Source, UnansweredRule]]:
    """The sources of these rules: their own, and the locations of a business that have none of their own."""
    own = Q(pk__in=rules)
    inherited = Q(parent__in=rules, unanswered_rule=None)
    rows = Source.objects.active().filter(own | inherited)
    for source in rows.select_related("opening_hours", "parent__opening_hours"):
        yield source, rules[source.pk if source.pk in rules else source.parent_id]  # type: ignore[index]


def _before(source: Source, rule: UnansweredRule, now: datetime) -> datetime | None:
    """Return since when somebody must have waited for the alarm. None: the source is never open."""
    hours = hours_of(source) if rule.in_opening_hours else Always()
    return hours.moment_before(now, timedelta(minutes=rule.after_minutes))


def hours_of(source: Source) -> Open:
    """Return the opening hours of a source: its own, those of its business, or always."""
    for owner in (source, source.parent):
        own: OpeningHours | None = getattr(owner, "opening_hours", None) if owner else None
        if own:
            return own.hours(source)
    return Always()


@transaction.atomic
def _alarm(conversation_id: UUID, before: datetime, rule: UnansweredRule) -> bool:
    """Raise one alarm, unless another worker is at it or the lead no longer waits since before a moment.

    Between the look and the lock somebody may have answered (and the lead have written again), closed or snoozed it.
    """
    rows = Conversation.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
    rows = rows.select_related("source", "lead")
    conversation = rows.filter(pk=conversation_id).first()
    if not conversation or not conversation.is_open or conversation.is_snoozed or conversation.is_overdue:
        return False
    if conversation.waiting_since is None or conversation.waiting_since > before:
        return False
    conversation.unanswered_at = timezone.now()
    conversation.save(update_fields=["unanswered_at"])
    if conversation.lead.is_test:  # of "Send a test lead": nobody waits
        return False
    record_change(conversation, ConversationChange.Kind.UNANSWERED, None)
    publish_conversation_event(EventType.LEAD_UNANSWERED, conversation)
    if rule.text:
        _say(conversation, rule.text)
    if rule.hands_over:  # after the text, which automation could not send any more
        hand_over(conversation_id=conversation.pk, to=Conversation.Holder.TEAM, actor=SYSTEM)
    if rule.tells_team:
        occasion = conversation.waiting_since.isoformat()
        letters.post(
            "unanswered",
            about=conversation.pk,
            to=_people(conversation),
            organization_id=conversation.organization_id,
            occasion=occasion,
        )
    return True


def _say(conversation: Conversation, text: str) -> None:
    """Send the lead a text, where a message can be sent. Why it cannot is in the conversation's channels."""
    try:
        with transaction.atomic():
            queue_reply(lead_id=conversation.lead_id, reply=Reply(text, conversation.pk), author=AUTHOR)
    except Refusal:
        return


def _people(conversation: Conversation) -> Iterable[User]:
    """To whom it is assigned, while they may still answer; else all who may."""
    assignee = conversation.assignee
    if assignee and reach_of(assignee, Right.ANSWER).includes(conversation.source):
        return [assignee]
    return team_of(conversation)


def write_of_unanswered(letter: Letter) -> letters.LetterText | None:
    """Say who waits and since when; nothing if the answer came meanwhile."""
    rows = Conversation.objects.select_related("lead", "source").filter(lead__erased_at=None)
    conversation = rows.filter(pk=letter.about_id).first()
    if conversation is None or not conversation.is_overdue:
        return None
    return letters.written(
        f"{conversation.lead.name} is waiting for an answer from {conversation.source.name}",
        "mail/unanswered.txt",
        conversation=conversation,
        lead=conversation.lead,
        url=f"{settings.BASE_URL}{conversation.get_absolute_url()}",
    )
