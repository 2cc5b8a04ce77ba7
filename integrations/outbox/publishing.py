"""Write an event and what it gives rise to, in the transaction of what happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from integrations.event_types import EventType
from integrations.models import Delivery, Event, Lane, RestWebhook, Unsequenced
from integrations.outbox import hints

ARRIVALS = {EventType.LEAD_CREATED, EventType.MESSAGE_RECEIVED, EventType.LEAD_CONTACT_CAPTURED}


@dataclass(frozen=True)
class Happening:
    """Something that happened to a lead, with what the options of cards ask about it."""

    type: EventType
    organization_id: UUID
    source_id: UUID
    lead_id: UUID | None = None
    conversation_id: UUID | None = None
    sequence: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    has_message: bool = False
    is_ready: bool = True  # a phone number or an email is known
    is_new: bool = True
    withheld_from: frozenset[UUID] = frozenset()  # lanes that were not told of this lead


@dataclass(frozen=True)
class Published:
    event: Event
    withheld_from: frozenset[UUID]  # as it is now


def seen_as(happening: Happening, card: RestWebhook) -> EventType | None:
    """Return the type under which a card's endpoint hears of this, or None when it does not.

    Exactly one event for one arrival: the card's options rename an arrival, they never add one.
    """
    if card.needs_contact and not happening.is_ready:
        return None
    seen = happening.type
    if seen in ARRIVALS and card.lane_id in happening.withheld_from:
        seen = EventType.LEAD_CREATED  # the announcement that was held back, with the history
    elif seen is EventType.LEAD_CREATED and not happening.is_new and card.only_new_leads:
        seen = EventType.MESSAGE_RECEIVED
    if seen in ARRIVALS and happening.has_message and seen not in card.event_types:
        seen = EventType.MESSAGE_RECEIVED  # who did not ask for leads or contact details still gets the message
    if seen is EventType.MESSAGE_RECEIVED and not happening.has_message:
        return None
    return seen if seen in card.event_types else None


def publish(happening: Happening) -> Published:
    """Write the event and one open delivery for each endpoint that hears of it. Call it inside a transaction.

    Whoever publishes for a conversation holds the lock of its row, so the deliveries of one order key are
    written one after the other.
    """
    event = Event.objects.create(
        type=happening.type,
        organization_id=happening.organization_id,
        source_id=happening.source_id,
        lead_id=happening.lead_id,
        conversation_id=happening.conversation_id,
        sequence=happening.sequence,
        payload=happening.payload,
    )
    Unsequenced.objects.create(event_id=event.pk, organization_id=event.organization_id, source_id=event.source_id)
    withheld = set(happening.withheld_from)
    due = []
    for card in _listening(happening.source_id):
        seen = seen_as(happening, card)
        if seen:
            due.append(Due(card.lane_id, seen, card.lane_id in withheld and seen is EventType.LEAD_CREATED))
        if happening.type in ARRIVALS:
            if card.needs_contact and not happening.is_ready:
                withheld.add(card.lane_id)
            else:
                withheld.discard(card.lane_id)
    if due:
        add_deliveries(event, due)
    return Published(event, frozenset(withheld))


def _listening(source_id: UUID) -> list[RestWebhook]:
    """The cards that hear of this source's events, locked against a Disconnect until our commit.

    The lock is shared among publishers. After waiting for a Disconnect the row is read anew and is off.
    """
    return list(
        RestWebhook.objects.raw(
            "SELECT card.* FROM integrations_restwebhook card JOIN integrations_lane lane ON lane.id = card.lane_id"
            " WHERE card.source_id = %s AND card.enabled_at IS NOT NULL AND lane.stopped_at IS NULL"
            " FOR KEY SHARE OF card",
            [source_id],
        )
    )


@dataclass(frozen=True, order=True)
class Due:
    """One endpoint that hears of an event, under which type, and whether it is the announcement held back so far."""

    lane_id: UUID
    seen: EventType
    is_announcement: bool = False


def add_deliveries(event: Event, due: Iterable[Due]) -> list[Delivery]:
    """Write open deliveries; behind an open one of the same conversation and endpoint they wait for their turn."""
    deliveries = []
    for one in sorted(due):
        delivery = Delivery(
            lane_id=one.lane_id,
            order_key=event.conversation_id,
            sequence=event.sequence,
            organization_id=event.organization_id,
            source_id=event.source_id,
            event_id=event.pk,
            event_type=one.seen,
            is_announcement=one.is_announcement,
        )
        if event.conversation_id and _has_open(one.lane_id, event.conversation_id):
            delivery.next_attempt_at = None
        deliveries.append(delivery)
    Delivery.objects.bulk_create(deliveries)
    wake(Lane.Kind.WEBHOOK, [delivery.lane_id for delivery in deliveries])
    return deliveries


def _has_open(lane_id: UUID, order_key: UUID) -> bool:
    # The key-share lock makes whoever finishes the last open row wait for our commit before it looks for the next
    # one; without it our row could be left behind with nobody to wake it. It does not stop a claim (no key changes).
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM integrations_delivery WHERE lane_id = %s AND order_key = %s"
            " ORDER BY sequence DESC, id DESC LIMIT 1 FOR KEY SHARE",
            [lane_id, order_key],
        )
        return cursor.fetchone() is not None


# Nothing is lost with this write, so its commit need not wait for the disk.
_WAKE = """
WITH quickly AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE integrations_lane SET next_due_at = greatest(now(), open_until), idle_rounds = 0 FROM quickly WHERE id IN (
    SELECT id FROM integrations_lane WHERE id = ANY(%s) AND next_due_at > now() ORDER BY id FOR UPDATE)
"""


def wake(kind: Lane.Kind, lane_ids: Iterable[UUID]) -> None:
    """After the commit, make idle lanes due and hint the worker.

    Not in the transaction: intakes of one source would wait for each other's commits on the lane's row. Should the
    process die in between, the lane is looked at within 30 s anyway.
    """
    lanes = sorted(set(lane_ids))

    def wake_now() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_WAKE, [lanes])
        hints.send(kind)

    transaction.on_commit(wake_now, robust=True)
