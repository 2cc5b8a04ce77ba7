"""Take open deliveries back, and let a stopped or held lane go on: what people do, in Django's transactions."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from integrations.models import Attempt, Delivery, Lane, Listener
from integrations.outbox.ordering import wake_next
from integrations.outbox.wakes import wake, wake_with


def cancel_deliveries(rows: QuerySet[Delivery], because: str) -> int:
    """Delete open deliveries, and show that and why. Return how many. Call it inside a transaction.

    What waited behind them is due from then on.
    """
    waiting = list(rows.select_for_update().order_by("lane_id", "order_key", "sequence", "id"))
    Delivery.objects.filter(pk__in=[one.pk for one in waiting]).delete()
    wake(Lane.Kind.WEBHOOK, wake_next((one.lane_id, one.order_key) for one in waiting if one.order_key))
    now = timezone.now()
    Attempt.objects.bulk_create(
        Attempt(
            delivery_id=one.pk,
            event_id=one.event_id,
            lane_id=one.lane_id,
            organization_id=one.organization_id,
            source_id=one.source_id,
            event_type=one.event_type,
            is_aside=one.is_aside,
            number=one.attempts,
            started_at=now,
            outcome=Attempt.Outcome.CANCELLED,
            next_because=because,
        )
        for one in waiting
    )
    return len(waiting)


def forget_failures(listener: Listener) -> None:
    """Let an endpoint's health begin anew: no failures, its breaker closed, nobody warned, nothing missed."""
    Lane.objects.filter(pk=listener.lane_id).update(
        failing_since=None,
        last_error="",
        failures=0,
        opens=0,
        open_until=None,
        warned_days=0,
        published_days=0,
        missed_since=None,
    )


def release(listener: Listener) -> None:
    """Let a held or stopped lane go on, its failures forgotten. Call it inside a transaction."""
    forget_failures(listener)
    Lane.objects.filter(pk=listener.lane_id).update(held_at=None, stopped_at=None, stopped_because="")
    wake_with(Lane.Kind.WEBHOOK, [listener.lane_id])
