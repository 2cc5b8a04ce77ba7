"""Take open deliveries back, and let a stopped or held lane go on: what people do, in Django's transactions."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Attempt, Clock, Delivery, Lane, Listener
from integrations.outbox import hints


def cancel_deliveries(rows: QuerySet[Delivery], because: str) -> int:
    """Delete open deliveries, and show that and why. Return how many. Call it inside a transaction."""
    waiting = list(rows.select_for_update().order_by("id"))
    Delivery.objects.filter(pk__in=[one.pk for one in waiting]).delete()
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


def release(listener: Listener) -> None:
    """Let a lane go on from a clean slate: not held, not stopped, its breaker closed."""
    Lane.objects.filter(pk=listener.lane_id).update(
        held_at=None,
        stopped_at=None,
        stopped_because="",
        failing_since=None,
        last_error="",
        failures=0,
        opens=0,
        open_until=None,
        warned_days=0,
        missed_since=None,
    )
    Clock.objects.filter(pk=listener.lane_id).update(next_due_at=Now())
    transaction.on_commit(lambda: hints.send(Lane.Kind.WEBHOOK))
