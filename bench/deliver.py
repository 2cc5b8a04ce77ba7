"""Webhook deliveries per second, against a bare asyncio loop that posts the same bodies.

    python -m bench.deliver [--seconds 15]

The worker delivers to a receiver that takes 50 ms, with attempts logged and the address guard on. Then events are
committed at a steady 500/s, and the time from commit to first attempt is measured.
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
from config.supervisor import ports
from config.supervisor.stack import ROOT, WORKER, Stack

RECEIVER_MS = 50
SLOTS = 200
ENDPOINTS, LEADS_EACH = 50, 40
TARGET_COUNT = ENDPOINTS * LEADS_EACH
PACE = 500  # events/s of the latency run
PART_WANTED, P99_WANTED_MS = 0.40, 300

SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Organization
from conversations.services.forms import Submission, take_submission
from integrations.models import Event
from integrations.services import cards
from integrations.services.sources import create_source
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
TARGETS = """
CREATE TABLE bench_target AS
SELECT row_number() OVER (ORDER BY md5(c.id::text)) - 1 AS number, c.organization_id, c.source_id, c.lead_id, c.id AS conversation_id, w.lane_id, e.payload
FROM conversations_conversation c
JOIN integrations_restwebhook w ON w.source_id = c.source_id
JOIN integrations_event e ON e.conversation_id = c.id AND e.type = 'lead.created';
CREATE INDEX ON bench_target (number);
ANALYZE bench_target
"""
# What publish() writes, for many events in one statement: an event and an open delivery each.
PUBLISH = """
WITH chosen AS MATERIALIZED (
    SELECT t.*, uuid_v7(n) AS event_id, uuid_v7(n) AS delivery_id FROM generate_series(1, %(count)s) n
    JOIN bench_target t ON t.number = (n + %(offset)s) %% %(targets)s
), events AS (
    INSERT INTO integrations_event (id, organization_id, source_id, lead_id, conversation_id, type, sequence, happened_at,
        payload) SELECT event_id, organization_id, source_id, lead_id, conversation_id, 'message.received', 2, now(), payload
    FROM chosen
)
INSERT INTO integrations_delivery (id, lane_id, order_key, organization_id, source_id, event_id, event_type, is_test,
    is_announcement) SELECT delivery_id, lane_id, NULL, organization_id, source_id, event_id, 'message.received', false,
    false FROM chosen
"""
UUID_V7 = """
CREATE OR REPLACE FUNCTION uuid_v7(n bigint) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7000'
        || substr(md5(random()::text || n), 1, 16))::uuid $$
"""
WAKE = """
UPDATE integrations_clock SET next_due_at = now(), idle_rounds = 0 WHERE next_due_at > now() AND lane_id IN (
    SELECT lane_id FROM integrations_clock WHERE kind = 'webhook' AND next_due_at > now() ORDER BY lane_id FOR UPDATE)
"""
# As the product does: only the lanes of what was just committed.
WAKE_THESE = """
UPDATE integrations_clock SET next_due_at = now(), idle_rounds = 0 WHERE next_due_at > now() AND lane_id IN (
    SELECT lane_id FROM integrations_clock WHERE next_due_at > now() AND lane_id IN (
        SELECT t.lane_id FROM generate_series(1, %(count)s) n JOIN bench_target t ON t.number = (n + %(offset)s) %% %(targets)s)
    ORDER BY lane_id FOR UPDATE)
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
            product = throughput(stack, int(bare * options.seconds))
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
    """Posts per second with as many slots as the worker has, and nothing else."""
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
    connection = psycopg.connect(stack.env["DATABASE_URL"], autocommit=True)
    connection.execute(UUID_V7)
    return connection


def start_worker(stack: Stack) -> None:
    stack.env |= {"LEADWIRE_DELIVER_SLOTS": str(SLOTS)}
    stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver", "-P", "threads", "-c", "2"])


def throughput(stack: Stack, count: int) -> float:
    """Deliveries per second while there is always something due."""
    with connect(stack) as connection:
        connection.execute("DELETE FROM integrations_delivery")
        connection.execute(TARGETS)
        connection.execute(PUBLISH, {"count": count, "offset": 0, "targets": TARGET_COUNT})
        connection.execute(WAKE)
        connection.execute("ANALYZE")
        start_worker(stack)
        wait_for(connection, "SELECT count(*) > 50 FROM integrations_attempt", 60)
        begin, first = time.perf_counter(), attempts(connection)
        wait_for(connection, "SELECT count(*) < 500 FROM integrations_delivery", 300)
        rate = (attempts(connection) - first) / (time.perf_counter() - begin)
        wait_for(connection, "SELECT count(*) = 0 FROM integrations_delivery", 60)
    return rate


def latency(stack: Stack, seconds: float) -> tuple[float, float]:
    """p50 and p99 of the milliseconds from a commit to its first attempt, at a steady pace, woken as the product does."""
    hinter = _hinter(stack)
    with connect(stack) as connection:
        connection.execute("TRUNCATE integrations_attempt")
        batch, begin = PACE // 50, time.perf_counter()
        for number in range(int(seconds * 50)):
            time.sleep(max(0.0, begin + number / 50 - time.perf_counter()))
            values = {"count": batch, "offset": number * batch, "targets": TARGET_COUNT}
            connection.execute(PUBLISH, values)
            connection.execute(WAKE_THESE, values)
            hinter.stdin.write("webhook\n")  # type: ignore[union-attr]
            hinter.stdin.flush()  # type: ignore[union-attr]
        wait_for(connection, "SELECT count(*) = 0 FROM integrations_delivery", 60)
        query = """SELECT extract(epoch FROM a.started_at - e.happened_at) * 1000 FROM integrations_attempt a
            JOIN integrations_event e ON e.id = a.event_id WHERE a.number = 1 ORDER BY 1"""
        waits = [float(row[0]) for row in connection.execute(query).fetchall()]
    hinter.kill()
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def _hinter(stack: Stack) -> subprocess.Popen[str]:
    """A process that sends hints as a web process does."""
    code = """
import sys
from config import celery
from integrations.outbox import hints
celery.send_hints_briefly()
for line in sys.stdin:
    hints.send(line.strip())
"""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, env=stack.env, stdin=subprocess.PIPE, text=True)


def attempts(connection: psycopg.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM integrations_attempt").fetchone()[0])  # type: ignore[index]


def wait_for(connection: psycopg.Connection, query: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not connection.execute(query).fetchone()[0]:  # type: ignore[index]
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {query}")
        time.sleep(0.25)


def leftovers(stack: Stack) -> tuple[int, int]:
    """Events without a delivered attempt, and deadlocks."""
    with connect(stack) as connection:
        lost = connection.execute("SELECT count(*) FROM integrations_delivery").fetchone()
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        deadlocks = connection.execute(query).fetchone()
    return int(lost[0]), int(deadlocks[0])  # type: ignore[index]


if __name__ == "__main__":
    main()
