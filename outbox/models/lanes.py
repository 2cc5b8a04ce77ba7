"""The outbox: PostgreSQL is the queue of record.

A work row says what is still to do. It is written in the business transaction and removed when it is done; what
happened stays in the attempts. `next_attempt_at` is the only clock: a claim moves it to the end of its lease, so that
the work of a killed worker becomes due again by itself.
"""

from __future__ import annotations

from typing import ClassVar

from django.apps import apps
from django.db import models
from django.db.models.functions import Now

from core.ids import uuid7


class Lane(models.Model):
    """What one endpoint or one channel connection has to do, kept apart so that a dead one delays nobody else."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        CHANNEL = "channel", "Channel"

    IN_FLIGHT = {Kind.WEBHOOK: 32, Kind.CHANNEL: 4}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    organization_id = models.UUIDField(null=True, editable=False)  # whose share of the slots it takes
    max_in_flight = models.PositiveSmallIntegerField(default=32)
    held_at = models.DateTimeField(null=True, blank=True)  # switched off by a person: what waits is kept
    stopped_at = models.DateTimeField(null=True, blank=True)  # stopped by us
    stopped_because = models.CharField(max_length=300, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    # The breaker: after some failures in a row nothing is sent before `open_until`, then one probe (outbox/health.py).
    failures = models.PositiveIntegerField(db_default=0)
    opens = models.PositiveSmallIntegerField(db_default=0)  # how often it opened since the last success
    open_until = models.DateTimeField(null=True, blank=True)
    missed_since = models.DateTimeField(null=True, blank=True)  # it was stopped; from then on events were not sent
    warned_days = models.PositiveSmallIntegerField(db_default=0)  # of nothing but failures, that people were told of
    published_days = models.PositiveSmallIntegerField(db_default=0)  # the same, of the event webhook.failing


class LaneTimer(models.Model):
    """When to look at a lane. A hint, never the truth: the rows of work are (outbox/claims.py).

    Written at each wake and each look, so it stands apart from the lane; the database makes it with the lane. Its table
    has no unique index: each write would be checked against every dead version of the row that an open snapshot keeps
    alive, and claims would slow down.
    """

    lane = models.OneToOneField(Lane, primary_key=True, on_delete=models.CASCADE, related_name="timer")
    kind = models.CharField(max_length=10, choices=Lane.Kind.choices)
    # Never more than a few seconds ahead of the first row that is due.
    check_at = models.DateTimeField(db_default=Now())
    swept_to = models.DateTimeField(null=True, blank=True)  # all that was due before it was taken
    idle_rounds = models.PositiveSmallIntegerField(db_default=0)

    class Meta:
        indexes = [
            models.Index(fields=["kind", "check_at"], name="lanetimer_due"),
            models.Index(fields=["lane", "check_at"], name="lanetimer_of_lane"),
        ]


class SlotKind(models.IntegerChoices):
    """What kind of attempt comes next. Each has slots of its own, so that none waits for the others."""

    FRESH = 0, "First attempt"
    RETRY = 1, "Retry"
    REPLAY = 2, "Replay"


class Work(models.Model):
    """A narrow row: something that one lane has still to do. A subclass says of which kind of lane, and its plural."""

    lane_kind: ClassVar[Lane.Kind]
    plural: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    # Rows of one lane and order key go out one after the other; only the first has a next_attempt_at.
    order_key = models.UUIDField(null=True)
    slot_kind = models.PositiveSmallIntegerField(
        choices=SlotKind.choices, default=SlotKind.FRESH, db_default=SlotKind.FRESH
    )
    sequence = models.BigIntegerField(db_default=0)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    claim = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        constraints = [
            # A row that neither has a time nor waits behind another one would never be looked at.
            models.CheckConstraint(
                condition=models.Q(next_attempt_at__isnull=False) | models.Q(order_key__isnull=False),
                name="%(class)s_has_a_time_or_a_place",
            )
        ]
        indexes = [
            models.Index(
                fields=["lane", "slot_kind", "next_attempt_at", "id"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="%(class)s_due",
            ),
            models.Index(
                fields=["lane", "order_key", "sequence", "id"],
                condition=models.Q(order_key__isnull=False),
                name="%(class)s_order",
            ),
            # With the lease's end, so that what a held snapshot keeps of ended claims is stepped over for a lease's
            # length and no longer.
            models.Index(
                fields=["lane", "next_attempt_at"], condition=models.Q(claim__isnull=False), name="%(class)s_in_flight"
            ),
        ]


def work_models() -> list[type[Work]]:
    """Return the tables of work that the product has."""
    return [model for model in apps.get_models() if issubclass(model, Work)]
