"""Queue a message to a lead.

This is the one hot path on which the ORM costs more than the work, so it is two statements of SQL: load and lock,
write. Everybody who answers goes through it: the API, the team's screens, automation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.reachability import Reach, reason_against
from conversations.services.arrivals import last_words
from conversations.services.events import publish_conversation_event
from core.ids import rfc3339, uuid7
from core.problems import NotFound, Refusal
from leads.models import OptOut
from messaging.registry import CHANNELS
from outbox.models import Lane
from outbox.wakes import wake
from webhooks.event_types import EventType


@dataclass(frozen=True)
class Author:
    """The author of an outbound message."""

    kind: Message.Author
    name: str
    user_id: UUID | None = None


@dataclass(frozen=True)
class Reply:
    """What is to be said, and where, as far as the author says it."""

    content: str
    conversation_id: UUID | None = None
    connection_id: int | None = None
    if_last_message_id: UUID | None = None
    reopens: bool = False  # the team may write into a closed conversation, which reopens it


@dataclass(frozen=True)
class Route:
    """A channel connection that the source can use."""

    id: int
    kind: str
    is_connected: bool
    lane_id: UUID

    @property
    def can_send(self) -> bool:
        return CHANNELS[self.kind].max_length is not None


@dataclass(frozen=True)
class Recipient:
    """The lead and the conversation of a reply; the conversation's row is locked."""

    lead_id: UUID
    organization_id: UUID
    source_id: UUID
    email: str
    phone: str  # E.164, empty for one that cannot be parsed
    is_ready: bool  # a phone number, even one that cannot be parsed, or an email is known
    blocked: list[str]  # channels
    conversation_id: UUID | None
    closed_at: datetime | None
    last_message_id: UUID | None
    last_connection_id: int | None
    routes: list[Route]  # that the source can use, its defaults first

    @property
    def reach(self) -> Reach:
        return Reach(self.email, self.phone, self.blocked)


# The columns are the fields of `Recipient`.
_LOAD = """
SELECT lead.id AS lead_id, lead.organization_id, lead.source_id, lead.email, lead.phone_e164 AS phone,
    lead.email <> '' OR lead.phone <> '' AS is_ready,
    conversation.id AS conversation_id, conversation.closed_at, conversation.last_message_id,
    conversation.lead_connection_id AS last_connection_id,
    ARRAY(SELECT channel FROM leads_optout o WHERE o.organization_id = lead.organization_id AND o.lifted_at IS NULL
          AND o.address IN (lower(lead.email), lead.phone_e164,
              'sha256:' || encode(sha256(convert_to(lower(lead.email), 'UTF8')), 'hex'),
              'sha256:' || encode(sha256(convert_to(lead.phone_e164, 'UTF8')), 'hex')) AND o.address <> '') AS blocked,
    (SELECT json_agg(json_build_array(k.id, k.kind, k.disconnected_at IS NULL, k.lane_id)
        ORDER BY usable.default_at IS NULL, k.id)
     FROM messaging_usableconnection usable JOIN messaging_channelconnection k ON k.id = usable.connection_id
     WHERE usable.source_id = lead.source_id) AS routes
FROM leads_lead lead
LEFT JOIN LATERAL (
    SELECT * FROM conversations_conversation c
    WHERE c.lead_id = lead.id AND (c.id = %(conversation)s OR (%(conversation)s::uuid IS NULL AND c.closed_at IS NULL))
    ORDER BY c.last_message_at DESC, c.id DESC LIMIT 1 FOR NO KEY UPDATE
) conversation ON true
WHERE lead.id = (SELECT coalesce(merged_into_id, id) FROM leads_lead WHERE id = %(lead)s)
    AND lead.erased_at IS NULL AND lead.merged_into_id IS NULL
"""
_WRITE = """
WITH conversation AS (
    UPDATE conversations_conversation SET last_message_id = %(id)s, last_message_at = %(now)s, waiting_since = NULL,
        answered_at = coalesce(answered_at, %(now)s),
        last_words = %(words)s, last_direction = 'outbound', connection_id = %(connection)s,
        closed_at = NULL, closed_by_id = NULL
    WHERE id = %(conversation)s
), dispatch AS (
    INSERT INTO messaging_dispatch (id, lane_id, organization_id, source_id, attempts)
    VALUES (%(id)s, %(lane)s, %(organization)s, %(source)s, 0)
)
INSERT INTO conversations_message (id, organization_id, source_id, lead_id, conversation_id, connection_id, kind,
    direction, author, author_name, author_user_id, content, quoted_text, status, error_code, error_detail, retry_of_id,
    external_id, is_automatic, created_at)
VALUES (%(id)s, %(organization)s, %(source)s, %(lead)s, %(conversation)s, %(connection)s, 'message',
    'outbound', %(author)s, %(author_name)s, %(user)s, %(content)s, '', 'queued', '', '', %(retry_of)s,
    '', false, %(now)s)
"""


def load_recipient(lead_id: UUID, conversation_id: UUID | None) -> Recipient | None:
    """Return the lead with the conversation that a reply would go into, and lock that conversation."""
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, {"lead": lead_id, "conversation": conversation_id})
        row = cursor.fetchone()
        columns = [column.name for column in cursor.description]
    if row is None:
        return None
    values = dict(zip(columns, row, strict=True))
    values["routes"] = [
        Route(number, kind, is_connected, UUID(lane)) for number, kind, is_connected, lane in values["routes"] or []
    ]
    return Recipient(**values)


def queue_reply(
    *,
    lead_id: UUID,
    reply: Reply,
    author: Author,
    allow: Callable[[Recipient], None] = lambda recipient: None,
    retry_of: UUID | None = None,
) -> Message:
    """Queue a reply to a lead, in the caller's transaction. It is durable when that is.

    `allow` is the caller's own gate; it sees the lead before anything else is said about it. Raise Refusal with the
    code of `api.md` when the reply could never be delivered.
    """
    recipient = load_recipient(lead_id, reply.conversation_id)
    if recipient is None:
        raise NotFound("lead")
    allow(recipient)
    conversation_id = _repliable(recipient, reply)
    route = choose_route(recipient, reply.connection_id)
    limit = CHANNELS[route.kind].max_length or 0
    if len(reply.content) > limit:
        raise Refusal(422, "content.tooLong", f"{CHANNELS[route.kind].label} takes at most {limit} characters.")
    message = _build(recipient, conversation_id, route, reply.content, author, retry_of)
    _write(message, route)
    if recipient.closed_at:  # the team wrote into it
        publish_conversation_event(EventType.CONVERSATION_OPENED, Conversation.objects.get(pk=conversation_id))
    wake(Lane.Kind.CHANNEL, [route.lane_id])
    return message


send_reply = transaction.atomic(queue_reply)  # for callers without a transaction, or that go on after a Refusal


def _repliable(recipient: Recipient, reply: Reply) -> UUID:
    if recipient.conversation_id is None:
        if reply.conversation_id:
            raise NotFound("conversation")
        raise Refusal(409, "conversation.closed", "The lead has no open conversation.")
    if recipient.closed_at and not reply.reopens:
        raise Refusal(409, "conversation.closed", "This conversation is closed.")
    if reply.if_last_message_id and reply.if_last_message_id != recipient.last_message_id:
        raise Refusal(409, "conversation.moved", "There is a newer message in this conversation. Read it first.")
    return recipient.conversation_id


def choose_route(recipient: Recipient, named: int | None) -> Route:
    """Choose the connection: the named one, else that of the last message, else (it only receives) email, then SMS.

    A connection that is merely down is refused, never silently changed for another one.
    """
    routes = {route.id: route for route in recipient.routes}
    if named is not None:
        route = routes.get(named)
        if route is None:
            raise NotFound("connection")
    else:
        route = routes.get(recipient.last_connection_id or 0)
        if route is None or not route.can_send:
            route = _first_that_reaches(recipient)
    if route is None:
        raise _refusal("receives_only")
    reason = reason_against(route.kind, recipient.reach, is_connected=route.is_connected)
    if reason:
        raise opted_out(recipient, route) if reason == "opted_out" else _refusal(reason)
    return route


def _first_that_reaches(recipient: Recipient) -> Route | None:
    """The first channel, in their order, on which the lead has an address; else the first that sends at all."""
    sending = [
        candidate
        for kind in CHANNELS
        for candidate in recipient.routes
        if candidate.kind == kind and candidate.can_send
    ]
    with_address = (candidate for candidate in sending if recipient.reach.has(CHANNELS[candidate.kind].address))
    return next(with_address, sending[0] if sending else None)


_REFUSALS = {
    "not_connected": ("channel.notConnected", "This channel is not connected."),
    "no_email": ("channel.unavailable", "The lead has no email address."),
    "no_phone": ("channel.unavailable", "The lead has no phone number."),
    "receives_only": ("channel.unavailable", "This channel only receives. Choose another one."),
}


def _refusal(reason: str) -> Refusal:
    return Refusal(422, *_REFUSALS[reason])


def opted_out(recipient: Recipient, route: Route) -> Refusal:
    """Say when and why the lead stopped this channel."""
    addresses = [address for address in (recipient.email.lower(), recipient.phone) if address]
    rows = OptOut.objects.in_force().of_addresses(recipient.organization_id, addresses)
    opt_out = rows.filter(channel=route.kind).order_by("created_at").first()
    if opt_out is None:  # lifted this moment
        return Refusal(409, "lead.optedOut", "The lead does not want messages on this channel.")
    label, day = CHANNELS[route.kind].label, f"{opt_out.created_at:%-d %B %Y}"
    return Refusal(
        409,
        "lead.optedOut",
        f"The lead does not want messages on this channel ({label}) since {day}: {opt_out.get_reason_display()}.",
        extra={"opted_out": {"channel": opt_out.channel, "at": rfc3339(opt_out.created_at), "reason": opt_out.reason}},
    )


def _build(
    recipient: Recipient, conversation_id: UUID, route: Route, content: str, author: Author, retry_of: UUID | None
) -> Message:
    return Message(
        id=uuid7(),
        organization_id=recipient.organization_id,
        source_id=recipient.source_id,
        lead_id=recipient.lead_id,
        conversation_id=conversation_id,
        connection_id=route.id,
        direction=Message.Direction.OUTBOUND,
        author=author.kind,
        author_name=author.name[:250],
        author_user_id=author.user_id,
        content=content,
        status=Message.Status.QUEUED,
        retry_of_id=retry_of,
        created_at=timezone.now(),
    )


def _write(message: Message, route: Route) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "id": message.pk,
                "now": message.created_at,
                "words": last_words(message.content),
                "connection": route.id,
                "lane": route.lane_id,
                "organization": message.organization_id,
                "source": message.source_id,
                "lead": message.lead_id,
                "conversation": message.conversation_id,
                "author": message.author,
                "author_name": message.author_name,
                "user": message.author_user_id,
                "content": message.content,
                "retry_of": message.retry_of_id,
            },
        )
