"""Let time pass for what waits, as "Retry now" does: the rows become due, and their lanes are woken."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from integrations.models import Delivery, Dispatch, Lane
from integrations.outbox.wakes import wake_with


def make_due() -> None:
    """Make every row due that waits for its time; those that wait behind another one go on waiting."""
    with transaction.atomic():
        for kind, model in ((Lane.Kind.WEBHOOK, Delivery), (Lane.Kind.CHANNEL, Dispatch)):
            waiting = model._default_manager.filter(claim=None, next_attempt_at__isnull=False)
            waiting.update(next_attempt_at=Now())
            wake_with(kind, waiting.values_list("lane_id", flat=True))
