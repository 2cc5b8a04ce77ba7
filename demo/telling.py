"""Turn a story into rows, dated back: the services themselves write only what happens now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from accounts.models import Source, User
from conversations.models import Conversation, Message
from conversations.services.arrivals import last_words
from conversations.services.received_replies import judge, keep_reply
from core.ids import uuid7
from demo.stories import Story
from leads.consent import opt_out
from leads.models import Lead, OptOut
from messaging.models import ChannelConnection, Dispatch
from messaging.registry import CHANNELS

MINUTES_BETWEEN = 17
AUTHORS = {"api": "api", "auto": "automation", "note": "staff", "us": "staff"}


class Turn(NamedTuple):
    """One thing that somebody said."""

    speaker: str  # api, auto, us, note; empty where the lead and the staff speak in turn
    by_lead: bool
    content: str
    at: datetime
    status: str

    @property
    def is_note(self) -> bool:
        return self.speaker == "note"

    @property
    def is_outbound(self) -> bool:
        return not self.by_lead and not self.is_note

    @property
    def author(self) -> str:
        return AUTHORS.get(self.speaker, "lead" if self.by_lead else "staff")


def tell(story: Story, source: Source, staff: User) -> None:
    """Write a story's lead, conversation and messages."""
    start = timezone.now() - timedelta(hours=story.hours_ago)
    lead = _lead(story, source, start)
    connections = {connection.kind: connection for connection in source.connections.all()}
    conversation = Conversation.objects.create(
        id=uuid7(start),
        organization_id=source.organization_id,
        source=source,
        lead=lead,
        title=story.title,
        connection=connections[story.channel],
        created_at=start,
    )
    for turn in _turns(story, start):
        answers_by = story.channel if CHANNELS[story.channel].max_length else "email"
        connection = connections[answers_by if turn.is_outbound else story.channel]
        message = _write(conversation, turn, staff, None if turn.is_note else connection)
        if not turn.is_note:
            _judge(conversation, message)
            _keep_newest(conversation, message)
    if story.state == "closed":
        closed_at = conversation.last_message_at + timedelta(minutes=MINUTES_BETWEEN)
        conversation.closed_at, conversation.closed_by = min(closed_at, timezone.now()), staff
        conversation.unread_at = conversation.waiting_since = None
    if story.state == "blocked":
        opt_out(lead=lead, channel="email", reason=OptOut.Reason.UNSUBSCRIBE)
    conversation.save()


def _lead(story: Story, source: Source, start: datetime) -> Lead:
    lead = Lead(
        id=uuid7(start),
        organization_id=source.organization_id,
        source=source,
        first_name=story.first_name,
        last_name=story.last_name,
        email=story.email,
        contact_captured_at=start,
        created_at=start,
        updated_at=start,
        last_message_at=start,
    )
    lead.set_phone(story.phone)
    lead.save(force_insert=True)
    return lead


def _turns(story: Story, start: datetime) -> list[Turn]:
    """Who said what, and when: the lead begins, and whoever has no mark takes turns with the lead."""
    step = timedelta(minutes=min(MINUTES_BETWEEN, story.hours_ago * 50 / len(story.said)))
    turns, by_lead = [], False
    for index, text in enumerate(story.said):
        head, colon, content = text.partition(":")
        speaker = head if colon and head in AUTHORS else ""
        if speaker != "note":
            by_lead = not by_lead and not speaker
        turn = Turn(speaker, by_lead and not speaker, content if speaker else text, start + step * index, "received")
        if turn.is_outbound:
            is_unsent = index == len(story.said) - 1 and story.state in ("failed", "queued")
            turn = turn._replace(status=story.state if is_unsent else "sent")
        turns.append(turn)
    return turns


def _write(conversation: Conversation, turn: Turn, staff: User, connection: ChannelConnection | None) -> Message:
    names = {"staff": staff.name, "api": "Lead Reply API", "automation": "Automatic thank-you"}
    failed = turn.status == "failed"
    message = Message.objects.create(
        id=uuid7(turn.at),
        organization_id=conversation.organization_id,
        source_id=conversation.source_id,
        lead=conversation.lead,
        conversation=conversation,
        connection=connection,
        kind="note" if turn.is_note else "message",
        direction="outbound" if turn.is_outbound else "inbound",
        author=turn.author,
        author_name=names.get(turn.author) or conversation.lead.name,
        author_user=staff if turn.author == "staff" else None,
        content=turn.content,
        status=turn.status,
        error_code="channel.refused" if failed else "",
        error_detail="The mail server refused it: 550 5.1.1 no such user here" if failed else "",
        created_at=turn.at,
        sent_at=turn.at if turn.status == "sent" else None,
    )
    if turn.status == "queued" and connection is not None:
        Dispatch.objects.create(
            id=message.pk,
            lane_id=connection.lane_id,
            organization_id=message.organization_id,
            source_id=message.source_id,
        )
    return message


def _judge(conversation: Conversation, message: Message) -> None:
    """Say what the lead means by it, where it is an answer to us."""
    if message.author == "lead" and conversation.answered_at:
        verdict = judge(message)
        message.save(update_fields=["label"])
        conversation.label = keep_reply(conversation, message, verdict).label


def _keep_newest(conversation: Conversation, message: Message) -> None:
    """Keep what lists show of a conversation's newest message."""
    at, by_lead = message.created_at, message.author == "lead"
    conversation.last_message_at, conversation.last_message_id = at, message.pk
    if not by_lead and conversation.answered_at is None:
        conversation.answered_at = at
    conversation.last_words, conversation.last_direction = last_words(message.content), message.direction
    conversation.connection = message.connection
    if by_lead:
        conversation.lead_connection = message.connection
    conversation.waiting_since = conversation.unread_at = at if by_lead else None
    conversation.last_news_at = timezone.now() if by_lead else None  # nobody has looked yet
