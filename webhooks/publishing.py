"""Write an event and what it gives rise to, in the transaction of what happened."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.rights import ROLES_WITH, Right
from core.ids import uuid7
from outbox.models import Lane
from outbox.wakes import wake
from webhooks.event_types import EventType
from webhooks.models import Endpoint, Event, RestWebhook, Subscription
from webhooks.ordering import keys_in_use

ARRIVALS = {EventType.LEAD_CREATED, EventType.MESSAGE_RECEIVED, EventType.LEAD_CONTACT_CAPTURED}


@dataclass(frozen=True)
class EventDraft:
    """Something that happened to a lead, with what the options of cards ask about it."""

    type: EventType
    organization_id: UUID
    source_id: UUID | None
    lead_id: UUID | None = None
    conversation_id: UUID | None = None
    sequence: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    has_message: bool = False
    is_ready: bool = True  # a phone number or an email is known
    is_new: bool = True
    not_announced_to: frozenset[UUID] = frozenset()  # lanes that were not told of this lead


@dataclass(frozen=True)
class Published:
    event: Event
    not_announced_to: frozenset[UUID]  # as it is now


def event_type_for(draft: EventDraft, endpoint: Endpoint) -> EventType | None:
    """Return the type under which an endpoint hears of this, or None when it does not.

    Exactly one event for one arrival: the options of a card rename an arrival, they never add one.
    """
    if endpoint.needs_contact and not draft.is_ready:
        return None
    seen = draft.type
    if seen in ARRIVALS and endpoint.lane_id in draft.not_announced_to:
        seen = EventType.LEAD_CREATED  # the announcement that was held back, with the history
    elif seen is EventType.LEAD_CREATED and not draft.is_new and endpoint.only_new_leads:
        seen = EventType.MESSAGE_RECEIVED
    if seen in ARRIVALS and draft.has_message and seen not in endpoint.event_types:
        seen = EventType.MESSAGE_RECEIVED  # who did not ask for leads or contact details still gets the message
    if seen is EventType.MESSAGE_RECEIVED and not draft.has_message:
        return None
    return seen if seen in endpoint.event_types else None


def publish(draft: EventDraft) -> Published:
    """Write the event and one open delivery for each endpoint that hears of it. Call it inside a transaction.

    Whoever publishes for a conversation holds the lock of its row, so the deliveries of one order key are
    written one after the other.
    """
    event = _write_event(draft)
    withheld = set(draft.not_announced_to)
    due = []
    for endpoint in _listening_endpoints(draft):
        lane_id, seen = endpoint.lane_id, event_type_for(draft, endpoint)
        if seen:
            announces = lane_id in withheld and seen is EventType.LEAD_CREATED
            due.append(PlannedDelivery(lane_id, seen, announces, endpoint.is_ordered))
        if draft.type in ARRIVALS:
            if endpoint.needs_contact and not draft.is_ready:
                withheld.add(lane_id)
            else:
                withheld.discard(lane_id)
    if due:
        add_deliveries(event, due)
    return Published(event, frozenset(withheld))


_EVENT = """
WITH event AS (
    INSERT INTO webhooks_event (id, organization_id, source_id, lead_id, conversation_id, type, sequence, happened_at,
        payload)
    VALUES (%(id)s, %(organization_id)s, %(source_id)s, %(lead_id)s, %(conversation_id)s, %(type)s, %(sequence)s,
        %(happened_at)s, %(payload)s)
)
INSERT INTO webhooks_pendingfeedentry (event_id, organization_id, source_id)
VALUES (%(id)s, %(organization_id)s, %(source_id)s)
"""


def _write_event(draft: EventDraft) -> Event:
    """Write an event, and that it waits for its place in the feed."""
    event = Event(
        type=draft.type,
        organization_id=draft.organization_id,
        source_id=draft.source_id,
        lead_id=draft.lead_id,
        conversation_id=draft.conversation_id,
        sequence=draft.sequence,
        payload=draft.payload,
    )
    values: dict[str, Any] = {field.attname: getattr(event, field.attname) for field in Event._meta.concrete_fields}
    with connection.cursor() as cursor:
        cursor.execute(_EVENT, values | {"payload": json.dumps(event.payload)})
    return event


# Publishers share the locks. After waiting for a Disconnect, the row is read again and is off.
_CARDS = """
SELECT card.* FROM webhooks_restwebhook card JOIN outbox_lane lane ON lane.id = card.lane_id
WHERE card.source_id = %s AND card.enabled_at IS NOT NULL AND lane.stopped_at IS NULL FOR KEY SHARE OF card
"""
# A subscription hears of what its creator may see, and of what concerns the organization if the creator sees all of it.
# Only what `event_type_for` and `publish` ask is read: an organization may have hundreds.
_SUBSCRIPTIONS = """
SELECT sub.id, sub.lane_id, sub.event_types, sub.is_ordered FROM webhooks_subscription sub
JOIN outbox_lane lane ON lane.id = sub.lane_id AND lane.stopped_at IS NULL
JOIN accounts_membership creator ON creator.id = sub.creator_id AND creator.removed_at IS NULL
    AND creator.accepted_at IS NOT NULL AND creator.role = ANY(%(roles)s)
JOIN accounts_user person ON person.id = creator.user_id AND person.is_active
LEFT JOIN accounts_source source ON source.id = %(source)s
WHERE sub.organization_id = %(organization)s AND sub.deleted_at IS NULL AND sub.enabled_at IS NOT NULL
    AND (sub.source_ids = '{}' OR sub.source_ids && ARRAY[source.id, source.parent_id])
    AND (creator.limited_at IS NULL OR EXISTS (
        SELECT FROM accounts_sourceaccess access
        WHERE access.membership_id = creator.id AND access.source_id IN (source.id, source.parent_id)))
FOR KEY SHARE OF sub
"""


def _listening_endpoints(draft: EventDraft) -> list[Endpoint]:
    """Return the endpoints that may be sent this event, locked against a Disconnect until our commit."""
    where = {
        "organization": draft.organization_id,
        "source": draft.source_id,
        "roles": sorted(ROLES_WITH[Right.CONFIGURE]),
    }
    cards: list[Endpoint] = list(RestWebhook.objects.raw(_CARDS, [draft.source_id])) if draft.source_id else []
    return [*cards, *Subscription.objects.raw(_SUBSCRIPTIONS, where)]


@dataclass(frozen=True, order=True)
class PlannedDelivery:
    """One endpoint that hears of an event, and how."""

    lane_id: UUID
    seen: EventType
    is_announcement: bool = False  # that was held back so far
    is_ordered: bool = True


# One statement with arrays, however many endpoints hear of it: an organization may have hundreds.
_INSERT = """
INSERT INTO webhooks_delivery (id, lane_id, order_key, event_type, is_announcement, next_attempt_at,
    sequence, organization_id, source_id, event_id, is_test)
SELECT due.*, %(sequence)s, %(organization)s, %(source)s, %(event)s, false FROM (
    SELECT id, lane_id, order_key, event_type, is_announcement, CASE WHEN NOT waits THEN statement_timestamp() END
    FROM unnest(%(ids)s::uuid[], %(lanes)s::uuid[], %(keys)s::uuid[], %(types)s::text[], %(announces)s::bool[],
        %(waits)s::bool[]) AS u(id, lane_id, order_key, event_type, is_announcement, waits)) due
"""


def add_deliveries(event: Event, due: Iterable[PlannedDelivery]) -> None:
    """Write open deliveries; behind an open one of the same conversation and endpoint they wait for their turn."""
    due = sorted(due)
    key = event.conversation_id
    has_predecessors = event.sequence > 1  # a conversation counts its events from 1
    ordered = [(planned.lane_id, key) for planned in due if planned.is_ordered and key and has_predecessors]
    in_use = keys_in_use(ordered)
    wake(Lane.Kind.WEBHOOK, [planned.lane_id for planned in due])
    values: dict[str, Any] = {
        "ids": [uuid7() for _ in due],
        "lanes": [planned.lane_id for planned in due],
        "keys": [key if planned.is_ordered else None for planned in due],
        "types": [planned.seen.value for planned in due],
        "announces": [planned.is_announcement for planned in due],
        "waits": [planned.is_ordered and (planned.lane_id, key) in in_use for planned in due],
        "sequence": event.sequence,
        "organization": event.organization_id,
        "source": event.source_id,
        "event": event.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
