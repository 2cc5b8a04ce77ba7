"""The breaker and idempotency, driven at random and held against small models of what they should do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from api.models import IdempotencyKey
from leads.models import Lead
from outbox.database import connect
from outbox.lanes import BREAKS_AT, OPEN_FIRST, OPEN_LONGEST, LaneResult, tell_lanes
from outbox.models import Lane
from webhooks.models import Attempt

Outcome = Attempt.Outcome


# --- the breaker ---


@dataclass
class Breaker:
    """After 8 failures in a row: open for 5 s, doubled each time up to 5 min; one success closes it."""

    failures: int = 0
    opens: int = 0
    is_open: bool = False
    opened_for: timedelta | None = None

    def tell(self, ok: int, failed: int) -> None:
        self.opened_for = None
        if ok:
            self.failures = self.opens = 0
            self.is_open = False
        self.failures += failed
        if failed and self.failures >= BREAKS_AT and not self.is_open:
            self.opened_for = min(OPEN_FIRST * 2**self.opens, OPEN_LONGEST)
            self.opens, self.is_open = min(self.opens + 1, 30), True

    def wait(self) -> None:
        self.is_open = False


def result(lane: Lane, *, is_ok: bool, error: str = "") -> LaneResult:
    return LaneResult(lane.pk, uuid4(), is_ok, error)


def tell(lane: Lane, ok: int, failed: int) -> None:
    results = [result(lane, is_ok=True) for _ in range(ok)]
    results += [result(lane, is_ok=False, error="500 from the receiver") for _ in range(failed)]

    async def run() -> None:
        connection = await connect()
        async with connection, connection.transaction(), connection.cursor() as cursor:
            await tell_lanes(cursor, results, [])

    asyncio.run(run())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), st.integers(0, 12)).filter(any),  # a batch of results: delivered, failed
        st.just("wait"),
    ),
    max_size=14,
)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_breaker_does_what_its_model_does(db, steps):
    lane, model = Lane.objects.create(kind=Lane.Kind.WEBHOOK), Breaker()
    for step in steps:
        if step == "wait":
            model.wait()
            Lane.objects.filter(pk=lane.pk, open_until__isnull=False).update(
                open_until=timezone.now() - timedelta(seconds=1)
            )
        else:
            before = timezone.now()
            tell(lane, *step)
            model.tell(*step)
        lane.refresh_from_db()
        assert (lane.failures, lane.opens) == (model.failures, model.opens), steps
        assert bool(lane.open_until and lane.open_until > timezone.now()) == model.is_open, steps
        if step != "wait" and model.opened_for:
            assert lane.open_until
            assert timedelta(0) <= lane.open_until - before - model.opened_for < timedelta(seconds=2), steps


# --- idempotency ---

GOOD: dict[str, str] = {}
OTHER, REFUSED = {"last_name": "Brooks"}, {"notifications": "sms"}


@dataclass
class Pinned:
    body: str
    answer: dict[str, object] = field(default_factory=dict)


@pytest.mark.django_db
def test_idempotency_does_what_its_model_does(api, token, plumbing):
    class Calls(RuleBasedStateMachine):
        """Calls with few keys and bodies, in any order; sometimes a day passes."""

        def __init__(self) -> None:
            super().__init__()
            self.run_id = uuid4().hex
            self.pinned: dict[str, Pinned] = {}
            self.leads = Lead.objects.count()

        @rule(key=st.sampled_from("ab"), body=st.sampled_from(["good", "other", "refused"]))
        def call(self, key: str, body: str) -> None:
            fields = {"good": GOOD, "other": OTHER, "refused": REFUSED}[body]
            email = f"{self.run_id}.{uuid4().hex if key not in self.pinned else 'again'}@example.net"
            pinned = self.pinned.get(key)
            if pinned and pinned.body == body:
                email = str(pinned.answer["email"])
            answer = api.create_lead(token, email=email, **fields, headers={"Idempotency-Key": f"{self.run_id}{key}"})
            if pinned and pinned.body == body:
                assert answer.status_code == 201
                assert answer["Idempotency-Replayed"] == "true"
                assert answer.json() == pinned.answer["json"]
            elif pinned:
                assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")
            elif body == "refused":
                assert answer.status_code == 422
                assert answer.json()["code"] == "notification.unavailable"
            else:
                assert answer.status_code == 201
                assert "Idempotency-Replayed" not in answer
                self.leads += 1
                self.pinned[key] = Pinned(body, {"email": email, "json": answer.json()})

        @rule()
        def a_day_passes(self) -> None:
            IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
            self.pinned.clear()

        @invariant()
        def each_effect_happened_once(self) -> None:
            assert Lead.objects.count() == self.leads

    run_state_machine_as_test(Calls, settings=settings(max_examples=20, stateful_step_count=12, deadline=None))
