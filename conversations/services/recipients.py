"""The lead and the conversation of a reply, and by which connections it can go: one statement, which locks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from conversations.reachability import Reach
from messaging.registry import CHANNELS


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
    handled_by: str | None
    routes: list[Route]  # that the source can use, its defaults first

    @property
    def reach(self) -> Reach:
        return Reach(self.email, self.phone, self.blocked, self.lead_id)


# The columns are the fields of `Recipient`.
_LOAD = """
SELECT lead.id AS lead_id, lead.organization_id, lead.source_id, lead.email, lead.phone_e164 AS phone,
    lead.email <> '' OR lead.phone <> '' AS is_ready,
    conversation.id AS conversation_id, conversation.closed_at, conversation.last_message_id,
    conversation.lead_connection_id AS last_connection_id, conversation.handled_by,
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
