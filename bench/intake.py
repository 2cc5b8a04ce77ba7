"""Calls per second by each doorway: a reply and a lead through the API, and the website's form.

    python -m bench.intake [--seconds 15]

Each call of the API has an Idempotency-Key, and the source's webhook is on. Each doorway is compared with pgbench's run
of its statements, and replies also with a bare Django view that runs them. All of it shares this machine: two web
processes, PostgreSQL with every commit on disk, and the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import psycopg

from bench.load import MakeRequest, Outcome, closed_loop, open_loop, request
from bench.place import Place, servers, set_up
from bench.statements import FRESH, capture, pgbench
from supervisor.stack import Servers, Stack

CONNECTIONS = 16
SCRIPTS = 50  # calls whose statements pgbench runs
PACE = 100  # replies/s of the latency run
PGBENCH_PART, P99_WANTED_MS = 0.60, 50


@dataclass(frozen=True)
class Doorway:
    """A way in for calls. `wanted` is the part of pgbench's rate that it has to reach; None asks for nothing."""

    name: str
    make: MakeRequest
    status: int
    wanted: float | None = None


def doorways(place: Place) -> list[Doorway]:
    def reply(number: int) -> bytes:
        path = f"/v1/leads/{place.leads[number % len(place.leads)]}/conversations/reply"
        return request(path, place.key, json.dumps({"content": "We can come by today at four."}).encode())

    def lead(_: int) -> bytes:
        body = {
            "source_id": place.source,
            "identifier_type": "email",
            "first_name": "Ava",
            "email": f"{uuid4().hex}@example.net",
            "request_title": "My tap leaks.",
        }
        return request("/v1/leads", place.token, json.dumps(body).encode())

    def form(number: int) -> bytes:
        fields = {"first_name": "Ava", "email": f"{uuid4().hex}@example.net", "message": "My tap leaks."}
        body = urlencode(fields).encode()
        sender = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"  # one address sends 20 in a minute
        head = (
            f"POST /forms/{place.source} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {sender}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return [
        Doorway("reply", with_a_key(reply), 201, PGBENCH_PART),
        Doorway("lead", with_a_key(lead), 201),
        Doorway("form", form, 303),
    ]


def with_a_key(make: MakeRequest) -> MakeRequest:
    """The same calls as careful callers make them: each with an Idempotency-Key of its own."""

    def keyed(number: int) -> bytes:
        line, rest = make(number).split(b"\r\n", 1)
        return line + f"\r\nIdempotency-Key: {uuid4().hex}\r\n".encode() + rest

    return keyed


@dataclass(frozen=True)
class Figures:
    """What one run measured: of each doorway by name, and of replies at a steady pace."""

    scripts: dict[str, list[list[str]]]
    outcomes: dict[str, Outcome]
    floors: dict[str, float]  # of pgbench, in a second
    bare: Outcome
    paced: Outcome
    stalled: Outcome
    deadlocks: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (running, stack):
        stack.env |= {"TRUSTED_PROXIES": "1"}
        ways = doorways(set_up(stack))
        figures = measure(running, stack, ways, options.seconds)
    _report(ways, figures)
    _check(ways, figures)
    if not options.smoke:
        _check_speed(ways, figures)


def measure(running: Servers, stack: Stack, ways: list[Doorway], seconds: int) -> Figures:
    scripts = _scripts(running, stack, ways)
    stack.start_web()
    outcomes = {way.name: at_full_speed(stack, way, seconds) for way in ways}
    replies = ways[0]
    paced = at_pace(stack, replies, seconds)
    broker = running.running[1].child.process.pid
    os.kill(broker, signal.SIGSTOP)  # it takes connections and never answers
    stalled = at_pace(stack, replies, seconds)
    os.kill(broker, signal.SIGCONT)
    stack.stop()
    floors = {
        name: pgbench(stack, statements, connections=CONNECTIONS, seconds=seconds)
        for name, statements in scripts.items()
    }
    bare = _bare(stack, scripts[replies.name], replies.make, seconds)
    return Figures(scripts, outcomes, floors, bare, paced, stalled, _deadlocks(stack))


def _scripts(running: Servers, stack: Stack, ways: list[Doorway]) -> dict[str, list[list[str]]]:
    """Return the statements of some calls by each doorway."""
    stack.start_web(LEADWIRE_PREPARED_STATEMENTS="0")
    scripts = {}
    for way in ways:
        asyncio.run(closed_loop(stack.port, way.make, connections=CONNECTIONS, seconds=1))
        calls = [way.make(number) for number in range(SCRIPTS)]
        scripts[way.name] = capture(stack, running.running[0].log_path, calls)
    stack.stop()
    return scripts


def _report(ways: list[Doorway], figures: Figures) -> None:
    for way in ways:
        outcome, floor, statements = figures.outcomes[way.name], figures.floors[way.name], figures.scripts[way.name][-1]
        print(
            f"{way.name:<6} {outcome.rate:5.0f}/s, p99 {outcome.percentile(0.99):3.0f} ms; {len(statements)} statements,"
            f" pgbench {floor:5.0f}/s: {outcome.rate / floor:.0%}"
        )
    bare, reply = figures.bare.rate, figures.outcomes[ways[0].name].rate
    print(f"a bare Django view with a reply's statements {bare:.0f}/s: {reply / bare:.0%}")
    for words, outcome in (("", figures.paced), (" with the broker stalled", figures.stalled)):
        p50, p99 = outcome.percentile(0.5), outcome.percentile(0.99)
        print(f"replies at {PACE}/s{words}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"deadlocks: {figures.deadlocks}")


def _check(ways: list[Doorway], figures: Figures) -> None:
    assert figures.deadlocks == 0
    for way in ways:
        assert set(figures.outcomes[way.name].statuses) == {way.status}, figures.outcomes[way.name].statuses
    assert set(figures.paced.statuses | figures.stalled.statuses) == {ways[0].status}


def _check_speed(ways: list[Doorway], figures: Figures) -> None:
    for way in ways:
        part = figures.outcomes[way.name].rate / figures.floors[way.name]
        assert way.wanted is None or part >= way.wanted, f"{way.name}: under {way.wanted:.0%} of pgbench"
    p99, p99_stalled = figures.paced.percentile(0.99), figures.stalled.percentile(0.99)
    assert p99 < P99_WANTED_MS, f"p99 over {P99_WANTED_MS} ms"
    assert p99_stalled <= 2 * p99, "a stalled broker slows intake"


def at_full_speed(stack: Stack, way: Doorway, seconds: int) -> Outcome:
    asyncio.run(closed_loop(stack.port, way.make, connections=CONNECTIONS, seconds=2))
    return asyncio.run(closed_loop(stack.port, way.make, connections=CONNECTIONS, seconds=seconds))


def at_pace(stack: Stack, way: Doorway, seconds: int) -> Outcome:
    return asyncio.run(open_loop(stack.port, way.make, rate=PACE, connections=CONNECTIONS, seconds=seconds))


def _bare(stack: Stack, scripts: list[list[str]], make: MakeRequest, seconds: int) -> Outcome:
    path: Path = stack.folder / "statements.json"
    path.write_text(json.dumps({"fresh": FRESH, "scripts": scripts}))
    stack.start_web("bench.bare:application", BENCH_STATEMENTS=str(path), LEADWIRE_PREPARED_STATEMENTS="0")
    asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=1))
    return asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=seconds))


def _deadlocks(stack: Stack) -> int:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
