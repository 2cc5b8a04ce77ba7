"""Write down what became of claimed deliveries: many at a time, fenced by the claim."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from core.ids import uuid7
from outbox.lanes import LaneResult, tell_lanes
from outbox.wakes import Look
from webhooks.delivery.claims import ClaimedDelivery
from webhooks.delivery.schedule import steps_aside
from webhooks.delivery.timings import Timings
from webhooks.models import Attempt
from webhooks.ordering import wake_next_in

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
    uses_up_attempt: bool = True  # False: the receiver asked to wait, which uses up no attempt
    stops_endpoint: str = ""  # why the endpoint is stopped by this answer

    @property
    def is_ok(self) -> bool:
        return self.outcome is Outcome.DELIVERED

    def for_lane(self) -> LaneResult:
        """What this says about the endpoint."""
        delivery = self.delivery
        return LaneResult(delivery.lane_id, delivery.organization_id, self.is_ok, self.error, self.stops_endpoint)

    @property
    def steps_aside(self) -> bool:
        """True when the next events of its conversation go ahead of it from now on."""
        delivery = self.delivery
        return (
            delivery.order_key is not None
            and self.retry_after is not None
            and steps_aside(delivery.attempts, self.retry_after)
        )


# Rows that somebody else has locked at this moment are left for the next batch: a publisher holds the last row of its
# conversation, a person cancels. A transaction that never waits for a lock cannot be part of a deadlock.
_MINE = """
WITH mine AS MATERIALIZED (
    SELECT d.id FROM webhooks_delivery d JOIN unnest(%s::uuid[], %s::uuid[]) r(id, claim) USING (id, claim)
    FOR UPDATE OF d SKIP LOCKED
)
"""
# What steps aside leaves its order key: the next event of the conversation is the head from then on.
_RETRY = (
    _MINE
    + """
UPDATE webhooks_delivery d SET claim = NULL, next_attempt_at = now() + r.wait, attempts = d.attempts - r.uncounted,
    slot_kind = greatest(d.slot_kind, 1), is_aside = d.is_aside OR r.aside,
    order_key = CASE WHEN NOT r.aside THEN d.order_key END
FROM mine JOIN unnest(%s::uuid[], %s::interval[], %s::int[], %s::bool[]) AS r(id, wait, uncounted, aside) USING (id)
WHERE d.id = mine.id RETURNING d.id, d.lane_id, d.next_attempt_at, r.aside
"""
)
_DONE = (
    _MINE
    + """
DELETE FROM webhooks_delivery d USING mine WHERE d.id = mine.id RETURNING d.id, d.lane_id, d.order_key
"""
)
_BUSY = "SELECT id FROM webhooks_delivery JOIN unnest(%s::uuid[], %s::uuid[]) r(id, claim) USING (id, claim)"
_ATTEMPTS = """
COPY webhooks_attempt (id, delivery_id, event_id, lane_id, organization_id, source_id, event_type, is_test,
    is_aside, number, started_at, duration_ms, dns_ms, connect_ms, first_byte_ms, outcome, status_code, error, url,
    dialled, request_headers, request_body, answer_headers, answer_body, next_attempt_at, next_because) FROM STDIN
"""
ENDPOINTS = ("webhooks_restwebhook", "webhooks_subscription")
_LOCK_ENDPOINTS = "SELECT 1 FROM {table} WHERE lane_id = ANY(%s) ORDER BY id FOR UPDATE"
_TESTED = """
UPDATE {table} SET last_check = %s, verified_at = CASE WHEN %s THEN now() END
WHERE lane_id = %s AND last_check->>'delivery' = %s
"""


async def record(connection: AsyncConnection[Any], results: list[Result]) -> set[UUID]:
    """Write a batch in one transaction. Return the deliveries that have to wait for the next: their rows are locked.

    A result whose claim is gone changes nothing, but its attempt is logged.
    """
    async with connection.transaction(), connection.cursor() as cursor:
        # Locks in one order everywhere: endpoints, deliveries, lanes, clocks, each by id.
        tested = [result.delivery.lane_id for result in results if result.delivery.is_test]
        if tested:
            for table in ENDPOINTS:
                await cursor.execute(_LOCK_ENDPOINTS.format(table=table), [tested])
        ended = await _end(cursor, [result for result in results if result.retry_after is None])
        retried = await _try_again(cursor, [result for result in results if result.retry_after is not None])
        held = {row[0] for row in (*ended, *retried)}
        busy = await _busy(cursor, [result for result in results if result.delivery.id not in held])
        results = sorted(
            (result for result in results if result.delivery.id not in busy), key=lambda result: result.delivery.id
        )
        keys = {result.delivery.id: result.delivery.order_key for result in results}
        freed = {(lane_id, key) for _, lane_id, key in ended if key}
        freed |= {(lane_id, key) for delivery_id, lane_id, _, aside in retried if aside and (key := keys[delivery_id])}
        claimed_at = {result.delivery.id: result.delivery.claimed_at for result in results}
        looks = [Look(lane_id, since=claimed_at[delivery_id]) for delivery_id, lane_id, _ in ended]
        looks += [Look(lane_id, moment) for _, lane_id, moment, _ in retried]
        looks += [Look(lane_id) for lane_id in await wake_next_in(cursor, freed)]
        await _log(cursor, results, held, {delivery_id: moment for delivery_id, _, moment, _ in retried})
        # Tests say nothing about health: they run with the card off.
        real = [result for result in results if result.delivery.id in held and not result.delivery.is_test]
        await tell_lanes(cursor, [result.for_lane() for result in real], looks)
        await _keep_tests(cursor, results)
    return busy


async def _end(cursor: Any, done: list[Result]) -> list[Any]:
    return await _rows(cursor, _DONE, _columns(done)) if done else []


async def _try_again(cursor: Any, again: list[Result]) -> list[Any]:
    if not again:
        return []
    ids, claims = _columns(again)
    waits = [result.retry_after for result in again]
    uncounted = [0 if result.uses_up_attempt else 1 for result in again]
    asides = [result.steps_aside for result in again]
    return await _rows(cursor, _RETRY, [ids, claims, ids, waits, uncounted, asides])


async def _busy(cursor: Any, others: list[Result]) -> set[UUID]:
    """Those that are still ours and were locked by somebody else."""
    return {row[0] for row in await _rows(cursor, _BUSY, _columns(others))} if others else set()


async def _rows(cursor: Any, query: str, values: list[Any]) -> list[Any]:
    await cursor.execute(query, values)
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
                    # A late attempt keeps no body: its delivery may be gone because the lead was erased.
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
            for table in ENDPOINTS:
                await cursor.execute(_TESTED.format(table=table), values)


def describe_test(result: Result) -> tuple[str, str]:
    """Say what a test came to, and what to do about it."""
    if result.is_ok:
        return (
            f"Test webhook: {result.status_code} in {result.duration_ms} ms.",
            "It works. Your server accepted the test.",
        )
    if result.status_code:
        title = f"Test webhook: {result.status_code} in {result.duration_ms} ms."
        return title, _refusal(result)
    return "Test webhook: no answer.", f"{result.error}. Check the URL and that your server is up, then test again."


def _refusal(result: Result) -> str:
    """Say what a refusal means, and what to do."""
    status = result.status_code or 0
    quoted = f" (“{result.answer_body[:120].strip()}”)" if result.answer_body.strip() else ""
    target = next((value for name, value in result.answer_headers.items() if name.lower() == "location"), "")
    if 300 <= status < 400:
        return (
            f"Your server redirects to {target[:200] or 'another address'}. Use that address: we follow no redirects."
        )
    if status in (401, 403):
        return f"Your server rejected the key{quoted}. Does it have the current one?"
    if status in (404, 405):
        return "Nothing listens at this path. Check the end of the address."
    if status == 410:
        return "Your server says that this address is gone for good. Use another one."
    return f"Your server answered {status}{quoted}. Check its log and try again."
