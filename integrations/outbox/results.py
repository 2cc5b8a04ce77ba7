"""Write down what became of claimed deliveries: many at a time, fenced by the claim."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from accounts.ids import uuid7
from integrations.models import Attempt
from integrations.outbox.claims import ClaimedDelivery
from integrations.outbox.health import Due, tell_lanes
from integrations.outbox.schedule import steps_aside
from integrations.outbox.timings import Timings

Outcome = Attempt.Outcome


@dataclass
class Result:
    """What one attempt came to. `retry_after` is set when there will be another one."""

    delivery: ClaimedDelivery
    outcome: Attempt.Outcome
    started_at: datetime
    duration_ms: int = 0
    timings: Timings = field(default_factory=Timings)
    status_code: int | None = None
    error: str = ""
    url: str = ""
    dialled: str = ""
    request_headers: dict[str, str] = field(default_factory=dict)
    request_body: str = ""
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer_body: str = ""
    retry_after: timedelta | None = None
    next_because: str = ""
    counts: bool = True  # False: the receiver asked to wait, which uses up no attempt
    stops_endpoint: str = ""  # why the endpoint is stopped by this answer

    @property
    def is_ok(self) -> bool:
        return self.outcome is Outcome.DELIVERED

    @property
    def steps_aside(self) -> bool:
        """True when the next events of its conversation go ahead of it from now on."""
        delivery = self.delivery
        return (
            delivery.order_key is not None
            and self.retry_after is not None
            and steps_aside(delivery.attempts, self.retry_after)
        )


# What steps aside leaves its order key: the next event of the conversation is the head from then on.
_RETRY = """
UPDATE integrations_delivery d SET claim = NULL, next_attempt_at = now() + r.wait, attempts = d.attempts - r.uncounted,
    pace = greatest(d.pace, 1), is_aside = d.is_aside OR r.aside,
    order_key = CASE WHEN NOT r.aside THEN d.order_key END
FROM unnest(%s::uuid[], %s::uuid[], %s::interval[], %s::int[], %s::bool[]) AS r(id, claim, wait, uncounted, aside)
WHERE d.id = r.id AND d.claim = r.claim RETURNING d.id, d.lane_id, d.next_attempt_at, r.aside
"""
_DONE = """
DELETE FROM integrations_delivery d USING unnest(%s::uuid[], %s::uuid[]) AS r(id, claim)
WHERE d.id = r.id AND d.claim = r.claim RETURNING d.id, d.lane_id, d.order_key
"""
# The row that waited behind a finished one. Rows of one order key come in the order of their sequence.
_NEXT_IN_ORDER = """
UPDATE integrations_delivery d SET next_attempt_at = now() FROM (
    SELECT (SELECT w.id FROM integrations_delivery w WHERE w.lane_id = k.lane_id AND w.order_key = k.order_key
            ORDER BY w.sequence, w.id LIMIT 1) AS id
    FROM unnest(%s::uuid[], %s::uuid[]) AS k(lane_id, order_key)
) head WHERE d.id = head.id AND d.next_attempt_at IS NULL RETURNING d.lane_id
"""
_ATTEMPTS = """
COPY integrations_attempt (id, delivery_id, event_id, lane_id, organization_id, source_id, event_type, is_test,
    is_aside, number, started_at, duration_ms, dns_ms, connect_ms, first_byte_ms, outcome, status_code, error, url,
    dialled, request_headers, request_body, answer_headers, answer_body, next_attempt_at, next_because) FROM STDIN
"""
LISTENERS = ("integrations_restwebhook", "integrations_subscription")
_LOCK_LISTENERS = "SELECT 1 FROM {table} WHERE lane_id = ANY(%s) ORDER BY id FOR UPDATE"
_TESTED = """
UPDATE {table} SET last_check = %s, verified_at = CASE WHEN %s THEN now() END
WHERE lane_id = %s AND last_check->>'delivery' = %s
"""


async def record(connection: AsyncConnection[Any], results: list[Result]) -> None:
    """Write a batch in one transaction. A result whose claim is gone changes nothing, but its attempt is logged."""
    results = sorted(results, key=lambda result: result.delivery.id)  # one order of locks everywhere
    again = [result for result in results if result.retry_after is not None]
    done = [result for result in results if result.retry_after is None]
    async with connection.transaction(), connection.cursor() as cursor:
        # Locks in one order everywhere: listeners, deliveries, lanes, each by id.
        tested = [result.delivery.lane_id for result in results if result.delivery.is_test]
        if tested:
            for table in LISTENERS:
                await cursor.execute(_LOCK_LISTENERS.format(table=table), [tested])
        ended = await _end(cursor, done) if done else []
        retried = await _try_again(cursor, again) if again else []
        held = {row[0] for row in (*ended, *retried)}
        next_at = {delivery_id: moment for delivery_id, _, moment, _ in retried}
        keys = {result.delivery.id: result.delivery.order_key for result in again}
        freed = {(lane_id, key) for _, lane_id, key in ended if key}
        freed |= {(lane_id, key) for one, lane_id, _, aside in retried if aside and (key := keys[one])}
        await cursor.execute("SELECT now()")
        now = (await cursor.fetchall())[0][0]
        claimed_at = {result.delivery.id: result.delivery.claimed_at for result in done}
        due: list[Due] = [(lane_id, now, claimed_at[delivery_id]) for delivery_id, lane_id, _ in ended]
        due += [(lane_id, moment, None) for _, lane_id, moment, _ in retried]
        if freed:
            await cursor.execute(_NEXT_IN_ORDER, [[key[0] for key in freed], [key[1] for key in freed]])
            due += [(row[0], now, None) for row in await cursor.fetchall()]
        await _log(cursor, results, held, next_at)
        await tell_lanes(cursor, [result for result in results if result.delivery.id in held], due)
        await _keep_tests(cursor, results)


async def _end(cursor: Any, done: list[Result]) -> list[Any]:
    await cursor.execute(_DONE, _columns(done))
    rows: list[Any] = await cursor.fetchall()
    return rows


async def _try_again(cursor: Any, again: list[Result]) -> list[Any]:
    waits = [result.retry_after for result in again]
    uncounted = [0 if result.counts else 1 for result in again]
    asides = [result.steps_aside for result in again]
    await cursor.execute(_RETRY, [*_columns(again), waits, uncounted, asides])
    rows: list[Any] = await cursor.fetchall()
    return rows


def _columns(results: list[Result]) -> list[list[UUID]]:
    return [[result.delivery.id for result in results], [result.delivery.claim for result in results]]


async def _log(cursor: Any, results: list[Result], held: set[UUID], next_at: dict[UUID, datetime]) -> None:
    async with cursor.copy(_ATTEMPTS) as copy:
        for result in results:
            delivery = result.delivery
            is_ours = delivery.id in held
            await copy.write_row(
                (
                    uuid7(), delivery.id, delivery.event_id, delivery.lane_id, delivery.organization_id,
                    delivery.source_id, delivery.event_type, delivery.is_test, delivery.is_aside,
                    delivery.attempts,
                    result.started_at, result.duration_ms, result.timings.dns_ms, result.timings.connect_ms,
                    result.timings.first_byte_ms,
                    (result.outcome if is_ours else Outcome.LATE).value,
                    result.status_code, result.error[:300], result.url, result.dialled,
                    # Of a late one no body: its delivery may be gone because the lead was erased meanwhile.
                    Jsonb(result.request_headers), result.request_body if is_ours else "",
                    Jsonb(result.answer_headers), result.answer_body if is_ours else "",
                    next_at.get(delivery.id), result.next_because[:200] if is_ours else "",
                )
            )  # fmt: skip


async def _keep_tests(cursor: Any, results: list[Result]) -> None:
    """Keep a test's result on its card or subscription, unless that has changed since the test was asked for."""
    for result in results:
        if result.delivery.is_test:
            title, detail = describe_test(result)
            check = {
                "ok": result.is_ok,
                "title": title,
                "detail": detail,
                "at": result.started_at.isoformat(),
                "delivery": str(result.delivery.id),
            }
            values = [Jsonb(check), result.is_ok, result.delivery.lane_id, str(result.delivery.id)]
            for table in LISTENERS:
                await cursor.execute(_TESTED.format(table=table), values)


def describe_test(result: Result) -> tuple[str, str]:
    """Say what a test came to, and what to do about it."""
    if result.is_ok:
        return f"Test webhook: {result.status_code} in {result.duration_ms} ms.", "Your server took the test event."
    if result.status_code:
        said = f" It said “{result.answer_body[:120].strip()}”." if result.answer_body.strip() else ""
        return (
            f"Test webhook: {result.status_code} in {result.duration_ms} ms.",
            f"Your server was reached and refused the test event.{said} Look at its log, then test again.",
        )
    return "Test webhook: no answer.", f"{result.error}. Check the URL and that your server is up, then test again."
