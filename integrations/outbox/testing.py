"""Queue a test event in a slot of its own: a web thread never waits for a receiver."""

from __future__ import annotations

from django.db import models, transaction
from django.utils import timezone

from accounts.actors import Actor
from core.ids import encode, moment
from integrations.event_types import EventType
from integrations.models import Delivery, Event, Lane, Listener
from integrations.outbox import hints


def queue_test(listener: Listener, actor: Actor) -> Delivery:
    """Write a test event and its delivery, and a mark on the listener that a result is to come."""
    organization_id, source_id = listener.owning_organization_id, listener.home_source_id
    about = {"source_id": encode("src", source_id)} if source_id else {}
    event = Event.objects.create(
        type=EventType.WEBHOOK_TEST,
        organization_id=organization_id,
        source_id=source_id,
        payload={**about, "sent_by": actor.name, "sent_at": moment(timezone.now())},
    )
    delivery = Delivery.objects.create(
        lane_id=listener.lane_id,
        organization_id=organization_id,
        source_id=source_id,
        event_id=event.pk,
        event_type=EventType.WEBHOOK_TEST,
        is_test=True,
    )
    assert isinstance(listener, models.Model)  # noqa: S101
    listener.last_check = {"delivery": str(delivery.pk), "at": timezone.now().isoformat()}
    listener.save(update_fields=["last_check"])
    transaction.on_commit(lambda: hints.send(Lane.Kind.WEBHOOK))
    return delivery
