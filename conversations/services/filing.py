"""Snooze, tag, take over and hand back: what the team does with a conversation to keep order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.actors import Actor
from conversations.models import Conversation, ConversationChange, Tag
from conversations.models.conversations import TAG_LENGTH, TAGS_MAX
from conversations.services.changes import record_change
from conversations.services.events import publish_conversation_event
from core.problems import Invalid, Refusal
from outbox.models import Job
from webhooks.event_types import EventType

WAKE = "wake-conversation"  # the category of its job
SNOOZED_MAX = timedelta(days=366)


@transaction.atomic
def snooze(*, conversation_id: UUID, until: datetime, actor: Actor) -> Conversation:
    """Put an open conversation off until a time, or until the lead writes. Raise Invalid, Refusal."""
    now = timezone.now()
    if not now < until <= now + SNOOZED_MAX:
        raise Invalid.at("#/snoozed_until", "Choose a time within the next 12 months.")
    conversation = Conversation.objects.locked(conversation_id)
    if not conversation.is_open:
        raise Refusal(409, "conversation.closed", "A closed conversation cannot be snoozed.")
    if conversation.snoozed_until == until:
        return conversation
    conversation.snoozed_until = until
    conversation.save(update_fields=["snoozed_until"])
    record_change(conversation, ConversationChange.Kind.SNOOZED, actor, until=until)
    _wake_at(conversation, until)
    return conversation


def _wake_at(conversation: Conversation, until: datetime) -> None:
    """Move the job that wakes it, or write one: there is at most one that waits. The conversation is locked."""
    waiting = Job.objects.filter(category=WAKE, subject_id=conversation.pk, status__in=Job.UNFINISHED)
    if not waiting.update(next_attempt_at=until):
        Job.objects.create(
            organization_id=conversation.organization_id,
            source_id=conversation.source_id,
            category=WAKE,
            subject_id=conversation.pk,
            next_attempt_at=until,
        )


@transaction.atomic
def unsnooze(*, conversation_id: UUID, actor: Actor) -> Conversation:
    """Take a snoozed conversation back before its time. Nothing changes where it is not snoozed."""
    conversation = Conversation.objects.locked(conversation_id)
    if conversation.is_snoozed:
        conversation.snoozed_until = None
        conversation.save(update_fields=["snoozed_until"])
        record_change(conversation, ConversationChange.Kind.WOKEN, actor)
    return conversation


@transaction.atomic
def wake_snoozed(conversation_id: UUID) -> timedelta | None:
    """Bring back a conversation whose time has come: it waits for the team again. A job; once for each snooze.

    Where the lead wrote or somebody closed it there is nothing to do. Where the time is still to come, by a moment that
    two clocks differ or because somebody chose a later one, it returns how long.
    """
    conversation = Conversation.objects.locked(conversation_id)
    now = timezone.now()
    if not conversation.is_open or conversation.snoozed_until is None:
        return None
    if conversation.snoozed_until > now:
        return conversation.snoozed_until - now
    conversation.waiting_since = conversation.waiting_since or conversation.snoozed_until
    conversation.last_news_at = now  # unread again, for everybody
    conversation.unread_at = conversation.unread_at or now
    conversation.snoozed_until = None
    conversation.save(update_fields=["snoozed_until", "waiting_since", "last_news_at", "unread_at"])
    record_change(conversation, ConversationChange.Kind.WOKEN, None)
    return None


@transaction.atomic
def hand_over(*, conversation_id: UUID, to: Conversation.Holder, actor: Actor) -> Conversation:
    """Take a conversation over for the team, or hand it back to programs. Publishes `conversation.handover`."""
    conversation = Conversation.objects.locked(conversation_id)
    if conversation.handled_by != to:
        conversation.handled_by = to
        conversation.save(update_fields=["handled_by"])
        is_team = to is Conversation.Holder.TEAM
        kind = ConversationChange.Kind.TAKEN_OVER if is_team else ConversationChange.Kind.HANDED_BACK
        record_change(conversation, kind, actor)
        publish_conversation_event(EventType.CONVERSATION_HANDOVER, conversation)
    return conversation


def take_over_by_answer(conversation_id: UUID, actor: Callable[[], Actor]) -> None:
    """Take a conversation over because somebody of the team answered, where the source's setting says so."""
    if Conversation.objects.filter(pk=conversation_id, source__answers_take_over=True).exists():
        hand_over(conversation_id=conversation_id, to=Conversation.Holder.TEAM, actor=actor())


@transaction.atomic
def set_tags(*, conversation_id: UUID, names: Iterable[str], actor: Actor) -> Conversation:
    """Give a conversation exactly these tags. A tag that the organization does not have yet is added. Raise Invalid."""
    conversation = Conversation.objects.locked(conversation_id)
    tags = _known(conversation.organization_id, names)
    if len(tags) > TAGS_MAX:
        raise Invalid.at("#/tags", f"A conversation has at most {TAGS_MAX} tags.")
    before = set(conversation.tags)
    if before != set(tags):
        conversation.tags = tags
        conversation.save(update_fields=["tags"])
        for name in tags:
            if name not in before:
                record_change(conversation, ConversationChange.Kind.TAGGED, actor, value=name)
        for name in sorted(before - set(tags)):
            record_change(conversation, ConversationChange.Kind.UNTAGGED, actor, value=name)
    return conversation


def change_tags(*, conversation_id: UUID, add: str = "", remove: str = "", actor: Actor) -> Conversation:
    """Add one tag, or take one away."""
    with transaction.atomic():
        tags = [tag for tag in Conversation.objects.locked(conversation_id).tags if tag.lower() != remove.lower()]
        return set_tags(conversation_id=conversation_id, names=[*tags, *([add] if add else [])], actor=actor)


def _known(organization_id: UUID, names: Iterable[str]) -> list[str]:
    """Return tags as the organization writes them, each once, and add those that it does not have. Raise Invalid."""
    cleaned = [" ".join(name.split()) for name in names]
    if any(not name or len(name) > TAG_LENGTH or "," in name or "\x00" in name for name in cleaned):
        raise Invalid.at("#/tags", f"A tag has 1 to {TAG_LENGTH} characters, and no comma.")
    # In one order, so that two callers do not wait for each other's new tags in a circle.
    for name in sorted(set(cleaned), key=str.casefold):
        Tag.objects.bulk_create([Tag(organization_id=organization_id, name=name)], ignore_conflicts=True)
    tags = Tag.objects.filter(organization=organization_id).annotate(key=Lower("name"))
    return list(dict.fromkeys(tags.get(key=Lower(Value(name))).name for name in cleaned))
