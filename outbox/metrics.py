"""What an operator's Prometheus reads, and whether the outbox moves. Everything is read from the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from outbox.models import Counter, work_models
from outbox.sweeps import LEFT_BEHIND

COUNTED_MAX = 1_000_000  # rows of a queue: more are shown as this
STALLED_AFTER_SECONDS = 60

# From lane to lane along the index, so that the time depends on the lanes that have work and not on their rows.
_OLDEST = """
WITH RECURSIVE busy AS (
    (SELECT lane_id FROM {table} WHERE next_attempt_at IS NOT NULL ORDER BY lane_id LIMIT 1)
    UNION ALL
    SELECT (SELECT lane_id FROM {table} WHERE lane_id > busy.lane_id AND next_attempt_at IS NOT NULL
            ORDER BY lane_id LIMIT 1)
    FROM busy WHERE busy.lane_id IS NOT NULL
), served AS MATERIALIZED (
    -- What an organization sends faster than its receivers take it is a backlog of its own, and no stall of ours.
    SELECT DISTINCT organization_id FROM {table} WHERE claim IS NOT NULL AND next_attempt_at > now()
)
SELECT extract(epoch FROM now() - min(due.at)), extract(epoch FROM now() - min(due.at) FILTER (
    WHERE l.held_at IS NULL AND l.stopped_at IS NULL AND l.failing_since IS NULL
        AND NOT EXISTS (SELECT FROM served WHERE served.organization_id = l.organization_id)))
FROM busy JOIN outbox_lane l ON l.id = busy.lane_id, (VALUES (0), (1), (2)) p(slot_kind), LATERAL (
    SELECT next_attempt_at AS at FROM {table}
    WHERE lane_id = l.id AND slot_kind = p.slot_kind AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 1
) due
"""
_DEPTH = "SELECT count(*) FROM (SELECT FROM {table} LIMIT %s) rows"
_LANES = """
SELECT count(*) FILTER (WHERE failing_since IS NOT NULL AND stopped_at IS NULL),
    count(*) FILTER (WHERE stopped_at IS NOT NULL), count(*) FILTER (WHERE open_until > now())
FROM outbox_lane WHERE kind = 'webhook' AND held_at IS NULL
"""
# A job that runs has the end of its lease here.
_JOBS = """
SELECT extract(epoch FROM now() - min(next_attempt_at) FILTER (WHERE next_attempt_at <= now())), count(*),
    bool_or(status = 'processing' AND next_attempt_at > now())
FROM (
    SELECT next_attempt_at, status FROM outbox_job WHERE next_attempt_at IS NOT NULL AND category = ANY(%s)
    ORDER BY next_attempt_at LIMIT %s
) due
"""
_JOBS_ENDED = """
SELECT EXISTS (SELECT FROM outbox_job WHERE finished_at > now() - %s * interval '1 s' AND category = ANY(%s))
"""


@dataclass(frozen=True)
class Queue:
    """One kind of work: how many rows are open, and since when the oldest has been due."""

    depth: int
    oldest_due_seconds: float  # of all, whatever keeps them
    # Of those that nothing keeps: not held, stopped or failing, and not in a line that moves.
    oldest_free_seconds: float

    @property
    def is_stalled(self) -> bool:
        return self.oldest_free_seconds > STALLED_AFTER_SECONDS


def queues() -> list[str]:
    """Return the names of all queues: each table of work, and each queue of jobs."""
    return [*(model.plural for model in work_models()), *settings.BACKGROUND_JOBS]


def read_queue(name: str) -> Queue:
    """Look at one queue."""
    if name in settings.BACKGROUND_JOBS:
        return _read_jobs(list(settings.BACKGROUND_JOBS[name]))
    table = next(model._meta.db_table for model in work_models() if model.plural == name)
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST.format(table=table))
        oldest, free = cursor.fetchone() or (None, None)
        cursor.execute(_DEPTH.format(table=table), [COUNTED_MAX])
        depth = (cursor.fetchone() or (0,))[0]
    return Queue(depth, float(oldest or 0), float(free or 0))


def _read_jobs(categories: list[str]) -> Queue:
    with connection.cursor() as cursor:
        cursor.execute(_JOBS, [categories, COUNTED_MAX])
        oldest, depth, moves = cursor.fetchone() or (None, 0, False)
        if oldest and not moves:
            cursor.execute(_JOBS_ENDED, [STALLED_AFTER_SECONDS, categories])
            moves = (cursor.fetchone() or (False,))[0]
    return Queue(depth, float(oldest or 0), 0.0 if moves else float(oldest or 0))


def left_behind() -> int:
    """How many deliveries were ever found waiting with nobody ahead of them (outbox/sweeps.py)."""
    return sum(Counter.objects.filter(name=LEFT_BEHIND).values_list("count", flat=True))


class Collector:
    """Reads the metrics at each scrape, so that every web process says the same."""

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("leadwire_outbox_open", "Open rows of work.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "leadwire_outbox_oldest_due_seconds", "Age of the oldest due row, whatever keeps it.", labels=["queue"]
        )
        free = GaugeMetricFamily(
            "leadwire_outbox_stalled_seconds",
            "Age of the oldest due row that nothing keeps: not held, stopped or failing, and not in a line that moves.",
            labels=["queue"],
        )
        for name in queues():
            queue = read_queue(name)
            depth.add_metric([name], queue.depth)
            oldest.add_metric([name], queue.oldest_due_seconds)
            free.add_metric([name], queue.oldest_free_seconds)
        yield from (depth, oldest, free)
        yield self._endpoints()
        attempts = CounterMetricFamily("leadwire_attempts", "Webhook attempts by outcome.", labels=["outcome"])
        for tally in Counter.objects.filter(name__startswith="attempts."):
            attempts.add_metric([tally.name.partition(".")[2]], tally.count)
        yield attempts
        yield CounterMetricFamily(
            "leadwire_outbox_left_behind",
            "Deliveries that waited with nobody ahead of them. It must stay 0: what comes here is a mistake of ours.",
            value=left_behind(),
        )

    def _endpoints(self) -> Metric:
        description = "Webhook endpoints that are on, by state."
        endpoints = GaugeMetricFamily("leadwire_endpoints", description, labels=["state"])
        with connection.cursor() as cursor:
            cursor.execute(_LANES)
            counts = cursor.fetchone() or (0, 0, 0)
        for state, count in zip(("failing", "stopped", "breaker_open"), counts, strict=True):
            endpoints.add_metric([state], count)
        return endpoints
