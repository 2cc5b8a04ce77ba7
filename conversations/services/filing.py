"""Snooze, tag, take over and hand back: what the team does with a conversation to keep order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import User
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
    Job.objects.create(
        organization_id=conversation.organization_id,
        source_id=conversation.source_id,
        category=WAKE,
        subject_id=conversation.pk,
        next_attempt_at=until,
    )
    return conversation


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
def wake_snoozed(conversation_id: UUID) -> None:
    """Bring back a conversation whose time has come: it waits for the team again. A job; once for each snooze.

    Where the lead wrote, somebody closed it or chose a later time, there is nothing to do.
    """
    conversation = Conversation.objects.locked(conversation_id)
    now = timezone.now()
    if not conversation.is_open or conversation.snoozed_until is None or conversation.snoozed_until > now:
        return
    conversation.waiting_since = conversation.waiting_since or conversation.snoozed_until
    conversation.last_news_at = now  # unread again, for everybody
    conversation.snoozed_until = None
    conversation.save(update_fields=["snoozed_until", "waiting_since", "last_news_at"])
    record_change(conversation, ConversationChange.Kind.WOKEN, None)


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


def take_over_by_answer(conversation_id: UUID, name: str, user_id: UUID | None) -> None:
    """Take a conversation over because somebody of the team answered, where the source's setting says so."""
    if Conversation.objects.filter(pk=conversation_id, source__answers_take_over=True).exists():
        actor = Actor(name, User.objects.filter(pk=user_id).first() if user_id else None)
        hand_over(conversation_id=conversation_id, to=Conversation.Holder.TEAM, actor=actor)


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
    tags: dict[str, None] = {}  # in the order in which they were given
    for name in cleaned:
        tag = Tag.objects.filter(organization=organization_id, name__iexact=name).first()
        if tag is None:
            Tag.objects.bulk_create([Tag(organization_id=organization_id, name=name)], ignore_conflicts=True)
            tag = Tag.objects.get(organization=organization_id, name__iexact=name)
        tags[tag.name] = None
    return list(tags)
