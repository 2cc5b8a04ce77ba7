"""What people do with an endpoint: test it, retry, cancel, let it go on."""

from __future__ import annotations

from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actors import Actor
from core.ids import encode, rfc3339
from core.problems import Refusal
from outbox import hints
from outbox.models import Lane
from outbox.wakes import wake, wake_with
from webhooks.event_types import EventType
from webhooks.models import Attempt, Delivery, Endpoint, Event
from webhooks.ordering import wake_next


def cancel_deliveries(rows: QuerySet[Delivery], because: str) -> int:
    """Delete open deliveries, and show that and why. Return how many. Call it inside a transaction.

    What waited behind them is due from then on.
    """
    waiting = list(rows.select_for_update().order_by("lane_id", "order_key", "sequence", "id"))
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in waiting]).delete()
    wake(
        Lane.Kind.WEBHOOK,
        wake_next((delivery.lane_id, delivery.order_key) for delivery in waiting if delivery.order_key),
    )
    now = timezone.now()
    Attempt.objects.bulk_create(
        Attempt(
            delivery_id=delivery.pk,
            event_id=delivery.event_id,
            lane_id=delivery.lane_id,
            organization_id=delivery.organization_id,
            source_id=delivery.source_id,
            event_type=delivery.event_type,
            is_aside=delivery.is_aside,
            number=delivery.attempts,
            started_at=now,
            outcome=Attempt.Outcome.CANCELLED,
            next_because=because,
        )
        for delivery in waiting
    )
    return len(waiting)


def forget_failures(endpoint: Endpoint) -> None:
    """Reset an endpoint's health: no failures, breaker closed, nobody warned, nothing missed."""
    Lane.objects.filter(pk=endpoint.lane_id).update(
        failing_since=None,
        last_error="",
        failures=0,
        opens=0,
        open_until=None,
        warned_days=0,
        published_days=0,
        missed_since=None,
    )


def release(endpoint: Endpoint) -> None:
    """Let a held or stopped lane go on, its failures forgotten. Call it inside a transaction."""
    forget_failures(endpoint)
    Lane.objects.filter(pk=endpoint.lane_id).update(held_at=None, stopped_at=None, stopped_because="")
    wake_with(Lane.Kind.WEBHOOK, [endpoint.lane_id])


def queue_test(endpoint: Endpoint, actor: Actor) -> Delivery:
    """Write a test event and its delivery, and a mark on the endpoint that a result is to come."""
    organization_id, source_id = endpoint.owning_organization_id, endpoint.home_source_id
    about = {"source_id": encode("src", source_id)} if source_id else {}
    event = Event.objects.create(
        type=EventType.WEBHOOK_TEST,
        organization_id=organization_id,
        source_id=source_id,
        payload={**about, "sent_by": actor.name, "sent_at": rfc3339(timezone.now())},
    )
    delivery = Delivery.objects.create(
        lane_id=endpoint.lane_id,
        organization_id=organization_id,
        source_id=source_id,
        event_id=event.pk,
        event_type=EventType.WEBHOOK_TEST,
        is_test=True,
    )
    assert isinstance(endpoint, models.Model)  # noqa: S101
    endpoint.last_check = {"delivery": str(delivery.pk), "at": timezone.now().isoformat()}
    endpoint.save(update_fields=["last_check"])
    transaction.on_commit(lambda: hints.send(Lane.Kind.WEBHOOK))
    return delivery


@transaction.atomic
def retry_now(*, delivery_id: UUID, endpoint: Endpoint, actor: Actor) -> None:
    """Make the next attempt of an open delivery now, even if its endpoint is being given a rest.

    Raise Refusal `delivery.open` when it cannot be hurried: it is being sent, it waits behind another delivery, or its
    endpoint is off.
    """
    delivery = Delivery.objects.select_for_update().filter(pk=delivery_id, lane=endpoint.lane_id).first()
    if refusal := _why_not_now(delivery):
        raise Refusal(409, "delivery.open", refusal)
    Delivery.objects.filter(pk=delivery_id).update(next_attempt_at=Now())
    Lane.objects.filter(pk=endpoint.lane_id).exclude(open_until=None).update(open_until=Now())  # it is the probe
    wake_with(Lane.Kind.WEBHOOK, [endpoint.lane_id])
    assert delivery  # noqa: S101
    actor.record(
        "delivery.retry",
        organization=delivery.organization_id,
        target=delivery.event_type,
        source_id=delivery.source_id,
    )


def _why_not_now(delivery: Delivery | None) -> str:
    """Say why a delivery has no next attempt that could be now; empty when it has one."""
    if delivery is None:
        return "This delivery has ended. Use Send again."
    if delivery.lane.held_at or delivery.lane.stopped_at:
        return "This webhook is off. Turn it on, and everything that waits is sent."
    if delivery.claim:
        return "This delivery is being sent right now."
    if delivery.next_attempt_at is None:
        return "An earlier event of this conversation has to be sent first. Retry that one."
    return ""
