"""A worker that was stopped past its lease and goes on, and one whose clock is a minute ahead.

    python -m bench.late

The late one may overwrite nothing: its attempts are logged as late. Nothing may be sent early. Gaps and leases run at a
tenth. Ends in a line `lost N, overwritten N, late N, early N, events N`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg

from bench.chaos import keep_alive
from bench.crash_stack import SET_UP, open_rows, post
from bench.place import inside, servers
from bench.witness import Seen, Witness
from supervisor.stack import PYTHON, WORKER, Stack

TIME_SCALE = 0.1
LEASE_SECONDS, FIRST_GAP_SECONDS = 30 * TIME_SCALE, 5 * TIME_SCALE
AHEAD_SECONDS = 60


def words(number: int) -> list[str | Path]:
    return [*WORKER, "-n", f"w{number}@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=40)
    options = parser.parse_args()
    slow = [True]  # while the first worker has them, answers take long

    def answer(seen: Seen, before: int) -> int:
        return 500 if before == 0 and ord(seen.webhook_id[-1]) % 2 and not slow[0] else 200

    witness = Witness(answer=answer, delay=1.0).start()
    with servers() as (_, plain):
        stack = Stack(plain.folder, {**plain.env, "LEADWIRE_TIME_SCALE": str(TIME_SCALE)})
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "CRITICAL"}
        try:
            business = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
            stack.start_web()
            stopped_past_its_lease(stack, witness, business["token"], options.events)
            slow[0], witness.delay = False, 0.01
            early = a_minute_ahead(stack, witness, business["token"], options.events)
            sys.exit(report(stack, witness, early, 2 * options.events))
        finally:
            stack.stop()


def stopped_past_its_lease(stack: Stack, witness: Witness, token: str, count: int) -> None:
    """Stop a worker while its requests are open; another one takes over; then let it go on."""
    stack._run("worker-0", words(0))
    for number in range(count):
        post(stack, token, number)
    _wait(lambda: len(witness.requests) >= 4, "the first requests")
    os.killpg(stack.child("worker-0").process.pid, signal.SIGSTOP)
    stack._run("worker-1", words(1))
    time.sleep(LEASE_SECONDS * 2)
    _wait(lambda: open_rows(stack) == 0, "the other worker")
    os.killpg(stack.child("worker-0").process.pid, signal.SIGCONT)
    keep_alive(stack, LEASE_SECONDS)
    for name in ("worker-0", "worker-1"):
        stack.child(name).stop()
    stack.children = [child for child in stack.children if child.name == "web"]


def a_minute_ahead(stack: Stack, witness: Witness, token: str, count: int) -> int:
    """Run beside a worker with a right clock; return how many retries came before their time."""
    before = len(witness.requests)
    stack._run("skewed", [PYTHON, "-m", "bench.skewed", str(AHEAD_SECONDS), *words(2)])
    stack._run("right", words(3))
    for number in range(count):
        post(stack, token, 1_000 + number)
    _wait(lambda: open_rows(stack) == 0, "the last delivery")
    first: dict[str, float] = {}
    early = 0
    for seen in witness.requests[before:]:
        if seen.webhook_id in first:
            early += seen.came_at - first[seen.webhook_id] < FIRST_GAP_SECONDS
        first.setdefault(seen.webhook_id, seen.came_at)
    return early


def report(stack: Stack, witness: Witness, early: int, events: int) -> int:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        late = connection.execute("SELECT count(*) FROM webhooks_attempt WHERE outcome = 'late'").fetchone()
        # A delivery that two workers ended would have two attempts that decided it.
        twice = connection.execute(
            "SELECT count(*) FROM (SELECT delivery_id FROM webhooks_attempt WHERE outcome IN ('delivered', 'failed')"
            " GROUP BY delivery_id HAVING count(*) > 1) twice"
        ).fetchone()
    assert late
    assert twice
    lost = events - len(witness.delivered())
    print(f"lost {lost}, overwritten {twice[0]}, late {late[0]}, early {early}, events {events}")
    return 0 if (lost, twice[0], early) == (0, 0, 0) and late[0] else 1


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within a minute")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
