"""Webhook deliveries per second, against a bare asyncio loop that posts the same bodies.

    python -m bench.deliver [--seconds 15]

The worker delivers to a receiver that takes 50 ms, with attempts logged and the address guard on. Events are published
by `publish()`, ordered and fed as those of every card. Then they come at a steady 200/s, and the time from an event to
its first attempt is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time

import aiohttp
import psycopg

from bench.place import inside, servers
from bench.publisher import Publishers
from supervisor import ports
from supervisor.stack import ROOT, WORKER, Stack

RECEIVER_MS = 50
SLOTS = 200  # of the bare loop
WORKER_SLOTS = SLOTS * 8 // 5  # of the worker: one organization fills 5 of 8 (outbox/shares.py)
ENDPOINTS, LEADS_EACH = 50, 40
PACE = 500  # events/s of the latency run: publishing them takes a good part of two cores
PART_WANTED, P99_WANTED_MS = 0.45, 200

SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Organization
from conversations.services.forms import Submission, take_submission
from webhooks.models import Event
from integrations import services as cards
from sources.services import create_source
from leads.services import Details
url, count = sys.stdin.read().split()
organization = Organization.objects.create(name="Bench")
for number in range(int(count)):
    source = create_source(organization=organization, actor=SYSTEM, name=f"Bench {number}")
    for each in range(40):
        details = Details(first_name="Ava", email=f"ava{each}@example.net")
        take_submission(source=source, submission=Submission(details, "My tap leaks.", nonce=str(each)))
    cards.set_up(card=source.restwebhook, actor=SYSTEM, url=url)
    cards.switch(card=source.restwebhook, on=True, actor=SYSTEM)
print(json.dumps(Event.objects.first().payload))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (_, stack):
        port = ports.choose()
        url = f"http://127.0.0.1:{port}/hook"
        body = inside(stack, SET_UP, f"{url} {ENDPOINTS}").encode()
        command = [sys.executable, "-m", "bench.receiver", str(port), str(RECEIVER_MS)]
        receiver = subprocess.Popen(command, cwd=ROOT)
        try:
            time.sleep(1)
            bare = asyncio.run(bare_loop(url, body, options.seconds))
            product = throughput(stack, int(bare * options.seconds * PART_WANTED))
            p50, p99 = latency(stack, options.seconds)
            lost, deadlocks = leftovers(stack)
        finally:
            receiver.kill()
    print(f"a bare asyncio loop            {bare:8.0f}/s")
    print(f"deliveries of the worker       {product:8.0f}/s")
    print(f"  of the bare loop             {product / bare:8.0%}")
    print(f"commit to first attempt at {PACE}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print(f"lost                           {lost}")
    print(f"deadlocks                      {deadlocks}")
    assert (lost, deadlocks) == (0, 0)
    if not options.smoke:
        assert product >= PART_WANTED * bare, f"under {PART_WANTED:.0%} of the bare loop"
        assert p99 <= P99_WANTED_MS, f"p99 over {P99_WANTED_MS} ms"


async def bare_loop(url: str, body: bytes, seconds: float) -> float:
    """Posts per second with as many slots as the worker has for one organization, and nothing else."""
    done, end = 0, time.perf_counter() + seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SLOTS)) as session:

        async def slot() -> None:
            nonlocal done
            while time.perf_counter() < end:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    await answer.read()
                done += 1

        await asyncio.gather(*(slot() for _ in range(SLOTS)))
    return done / seconds


def connect(stack: Stack) -> psycopg.Connection:
    return psycopg.connect(stack.env["DATABASE_URL"], autocommit=True)


def start_worker(stack: Stack) -> None:
    stack.env |= {"LEADWIRE_DELIVER_SLOTS": str(WORKER_SLOTS)}
    stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver", "-P", "threads", "-c", "2"])


def throughput(stack: Stack, count: int) -> float:
    """Deliveries per second while there is always something due."""
    with connect(stack) as connection:
        connection.execute("DELETE FROM webhooks_delivery")
        with Publishers(stack) as publishers:
            publishers.publish(count)
        connection.execute("ANALYZE")
        start_worker(stack)
        wait_for(connection, "SELECT count(*) > 50 FROM webhooks_attempt", 60)
        begin, first = time.perf_counter(), attempts(connection)
        wait_for(connection, "SELECT count(*) < 500 FROM webhooks_delivery", 300)
        rate = (attempts(connection) - first) / (time.perf_counter() - begin)
        wait_for(connection, "SELECT count(*) = 0 FROM webhooks_delivery", 60)
    return rate


def latency(stack: Stack, seconds: float) -> tuple[float, float]:
    """p50 and p99 of the milliseconds from an event to its first attempt, at a steady slot_kind."""
    with connect(stack) as connection, Publishers(stack) as publishers:
        connection.execute("TRUNCATE webhooks_attempt")
        batch, begin = PACE // 50, time.perf_counter()
        for number in range(int(seconds * 50)):
            time.sleep(max(0.0, begin + number / 50 - time.perf_counter()))
            publishers.publish(batch)
        wait_for(connection, "SELECT count(*) = 0 FROM webhooks_delivery", 60)
        query = """SELECT extract(epoch FROM a.started_at - e.happened_at) * 1000 FROM webhooks_attempt a
            JOIN webhooks_event e ON e.id = a.event_id WHERE a.number = 1 ORDER BY 1"""
        waits = [float(row[0]) for row in connection.execute(query).fetchall()]
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def attempts(connection: psycopg.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM webhooks_attempt").fetchone()[0])


def wait_for(connection: psycopg.Connection, query: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not connection.execute(query).fetchone()[0]:
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {query}")
        time.sleep(0.25)


def leftovers(stack: Stack) -> tuple[int, int]:
    """Events without a delivered attempt, and deadlocks."""
    with connect(stack) as connection:
        lost = connection.execute("SELECT count(*) FROM webhooks_delivery").fetchone()
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        deadlocks = connection.execute(query).fetchone()
    return int(lost[0]), int(deadlocks[0])


if __name__ == "__main__":
    main()
