"""How an endpoint did in the last day, for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from django.db import connection
from django.utils import timezone

from core.ids import first_id
from outbox.models import Lane, SlotKind
from webhooks.models import Attempt, Delivery

DAY, HOURS = timedelta(hours=24), 24
LOOKED_AT = 10_000  # attempts: the newest ones of a busy endpoint


@dataclass(frozen=True)
class HourBar:
    """One hour of the chart; heights are percents of the tallest."""

    at: datetime
    delivered: int
    failed: int
    x: int
    delivered_height: int
    failed_height: int

    @property
    def delivered_y(self) -> int:
        return 100 - self.delivered_height

    @property
    def failed_y(self) -> int:
        return self.delivered_y - self.failed_height


@dataclass(frozen=True)
class EndpointHealth:
    attempts: int
    is_sample: bool
    delivered: int
    p50_ms: int
    p95_ms: int
    waiting: int
    oldest_due: datetime | None
    bars: list[HourBar]

    @property
    def success(self) -> int | None:
        """Percent of the attempts, None without any."""
        return self.delivered * 100 // self.attempts if self.attempts else None


def endpoint_health(lane: Lane) -> EndpointHealth:
    """Count an endpoint's attempts of the last 24 hours, tests aside."""
    now = timezone.now()
    rows = Attempt.objects.filter(lane_id=lane.pk, id__gte=first_id(now - DAY), is_test=False)
    rows = rows.exclude(outcome=Attempt.Outcome.CANCELLED).order_by("-id")
    attempts = list(rows.values_list("started_at", "outcome", "duration_ms", "status_code")[:LOOKED_AT])
    times = sorted(ms for _, _, ms, status in attempts if status)
    cuts = quantiles(times, n=20) if len(times) > 1 else [*times, 0][:1] * 19
    return EndpointHealth(
        attempts=len(attempts),
        is_sample=len(attempts) == LOOKED_AT,
        delivered=sum(outcome == Attempt.Outcome.DELIVERED for _, outcome, *_ in attempts),
        p50_ms=round(cuts[9]),
        p95_ms=round(cuts[18]),
        waiting=Delivery.objects.filter(lane=lane)[:1001].count(),
        oldest_due=_oldest_due(lane),
        bars=_bars(now, [(at, outcome == Attempt.Outcome.DELIVERED) for at, outcome, *_ in attempts]),
    )


_OLDEST_DUE = """
SELECT min(first.next_attempt_at) FROM unnest(%s::int[]) p(slot_kind), LATERAL (
    SELECT next_attempt_at FROM webhooks_delivery
    WHERE lane_id = %s AND slot_kind = p.slot_kind AND next_attempt_at <= now() AND claim IS NULL
    ORDER BY next_attempt_at LIMIT 1) first
"""


def _oldest_due(lane: Lane) -> datetime | None:
    """Since when something has been due and not sent. Only the first row of each kind of slot is read."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_DUE, [SlotKind.values, lane.pk])
        moment: datetime | None = cursor.fetchone()[0]
    return moment


def _bars(now: datetime, attempts: list[tuple[datetime, bool]]) -> list[HourBar]:
    ago = Counter((int((now - at) / timedelta(hours=1)), ok) for at, ok in attempts)
    top = max([1, *(ago[hour, True] + ago[hour, False] for hour in range(HOURS))])
    return [
        HourBar(
            now - timedelta(hours=hour),
            ago[hour, True],
            ago[hour, False],
            (HOURS - 1 - hour) * 10,
            ago[hour, True] * 96 // top,
            ago[hour, False] * 96 // top,
        )
        for hour in range(HOURS - 1, -1, -1)
    ]
