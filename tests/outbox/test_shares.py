"""Slots go round: who does much leaves some for who comes next, and nobody has less than they need while there are."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from outbox.models import Lane
from outbox.shares import next_turn
from tests.support.waiting import wait_for
from webhooks.models import Delivery

A, B, C = (uuid4() for _ in range(3))


def fill(slots: int, demand: dict[UUID, int], active: list[Any]) -> list[Any]:
    """Take turns until nobody gets any more; each look meets the hungriest first."""
    while True:
        turn = next_turn(active, slots, slots - len(active))
        taken = 0
        for organization in sorted(demand, key=lambda one: -demand[one]):
            if organization not in turn.full:
                some = min(demand[organization], turn.slots - taken)
                active += [SimpleNamespace(organization_id=organization)] * some
                demand[organization] -= some
                taken += some
        if not taken:
            return active


def counted(active: list[Any]) -> dict[UUID, int]:
    return dict(Counter(row.organization_id for row in active))


@pytest.mark.parametrize("slots", [1, 2, 8, 12, 400])
def test_one_alone_takes_most_and_leaves_some(slots):
    taken = counted(fill(slots, {A: 10_000}, []))[A]
    assert max(1, int(slots * 5 / 8)) <= taken <= max(1, slots * 7 // 8)


def test_who_comes_second_and_third_finds_room():
    active = fill(400, {A: 10_000}, [])
    assert counted(fill(400, {A: 10_000, B: 20}, active))[B] == 20
    assert counted(fill(400, {A: 10_000, C: 5}, active))[C] == 5


def test_two_that_are_hungry_come_to_halves():
    active = fill(400, {A: 10_000}, [])
    for _ in range(40):  # the oldest end, and the hungry go on
        active = fill(400, {A: 10_000, B: 10_000}, active[20:])
    parts = counted(active)
    assert abs(parts[A] - parts[B]) < 100, parts


def test_small_ones_do_not_make_a_large_one_small():
    active = [SimpleNamespace(organization_id=uuid4()) for _ in range(20)]
    assert counted(fill(400, {A: 10_000}, active))[A] >= 200


@pytest.mark.django_db(transaction=True)
def test_a_hundred_slow_webhooks_of_one_organization_keep_no_other_waiting(
    worker, receiver, plumbing, dental, webhook_at, lead_at, subscribe
):
    import threading

    go_on = threading.Event()

    def slowly(handler) -> None:
        go_on.wait(20)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answers = [slowly] * 40
    for number in range(40):  # the worker of this test has 20 slots
        subscribe(receiver.url, name=f"Slow {number}")
    lead_at(plumbing, "greedy@example.net")
    wait_for(lambda: Delivery.objects.exclude(claim=None).count() >= 12)
    quiet = webhook_at(dental, receiver.url)
    assert quiet
    receiver.answers = []
    lead_at(dental, "quiet@example.net")
    try:
        wait_for(lambda: any(b"quiet@example.net" in request["body"] for request in receiver.requests), seconds=5)
    finally:
        go_on.set()
    assert Lane.objects.filter(organization_id=None).count() == 0
