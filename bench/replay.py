"""Replay of many failed events, killed in the middle, with fresh events beside it.

    python -m bench.replay [--events 100000]

Ends in a line `sent N of N, N/s, fresh p99 N ms`. Fails unless the count is exact.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time

import psycopg

from bench.chaos import keep_alive
from bench.crash_stack import REPLAY, SET_UP, open_rows, post
from bench.place import inside, servers
from bench.witness import Witness
from supervisor.stack import CELERY, WORKER, Stack

RATE_WANTED, FRESH_WANTED_MS = 200, 1_000
# Events whose every attempt failed, as if the endpoint had been dead for half an hour.
FAILED = """
WITH made AS (
    SELECT n, (lpad(to_hex((extract(epoch FROM now() - interval '30 minutes') * 1000)::bigint + n / 100), 12, '0')
        || '7' || lpad(to_hex(n %% 4096), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid AS id
    FROM generate_series(1, %(count)s) n
), events AS (
    INSERT INTO webhooks_event (id, organization_id, source_id, type, sequence, happened_at, payload)
    SELECT id, %(organization)s, %(source)s, 'lead.created', 1, now(),
        '{"lead": {"is_ready": true, "is_new": true}, "message": {"content": "Hello"}}' FROM made
)
INSERT INTO webhooks_attempt (id, delivery_id, event_id, lane_id, organization_id, source_id, event_type, is_test,
    number, started_at, duration_ms, outcome, error, url, dialled, request_headers, request_body, answer_headers,
    answer_body, next_because)
SELECT id, id, id, %(lane)s, %(organization)s, %(source)s, 'lead.created', false, 10, now(), 1, 'failed', '500', '', '',
    '{}', '', '{}', '', '' FROM made
"""
FIND = """
SELECT source.organization_id, card.lane_id FROM webhooks_restwebhook card
JOIN accounts_source source ON source.id = card.source_id WHERE source.id = %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    replayed, fresh = Witness(delay=0.02).start(), Witness(delay=0.02).start()
    with servers() as (_, plain):
        stack = Stack(plain.folder, plain.env)
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR", "LEADWIRE_TIME_SCALE": "0.1"}
        try:
            old = json.loads(inside(stack, SET_UP, f"old {replayed.url}"))
            new = json.loads(inside(stack, SET_UP, f"new {fresh.url}"))
            with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
                connection.execute("SET statement_timeout = 0")
                row = connection.execute(FIND, [old["source"]]).fetchone()
                assert row
                values = {"count": options.events, "organization": row[0], "lane": row[1], "source": old["source"]}
                connection.execute(FAILED, values)
                connection.execute("VACUUM ANALYZE")
            seconds, times = run(stack, replayed, fresh, old["source"], new["token"], options.events)
        finally:
            stack.stop()
    p99 = sorted(times)[int(len(times) * 0.99)] * 1000
    count, rate = len(replayed.requests), len(replayed.requests) / seconds
    print(f"sent {count} of {options.events}, {rate:.0f}/s, fresh p99 {p99:.0f} ms")
    is_good = count == options.events == len(replayed.delivered())
    is_fast = rate >= RATE_WANTED and p99 <= FRESH_WANTED_MS
    sys.exit(not (is_good and (is_fast or options.smoke)))


def run(
    stack: Stack, replayed: Witness, fresh: Witness, source: str, token: str, count: int
) -> tuple[float, list[float]]:
    stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"])
    stack._run("jobs", [*WORKER, "-n", "jobs@%h", "-Q", "jobs", "-c", "1"])
    stack._run("beat", [*CELERY, "beat", "--loglevel=critical", "-s", stack.folder / "beat", "--pidfile="])
    stack.start_web()
    inside(stack, REPLAY.replace("only_undelivered=False", "only_undelivered=True"), source)
    started, times, was_killed = time.monotonic(), [], False
    while len(replayed.requests) < count:
        if not was_killed and len(replayed.requests) > count / 3:
            os.killpg(stack.child("jobs").process.pid, signal.SIGKILL)
            was_killed = True
        keep_alive(stack, 0.3)
        before, posted = len(fresh.requests), time.monotonic()
        post(stack, token, time.time_ns())
        while len(fresh.requests) == before:
            time.sleep(0.002)
        times.append(time.monotonic() - posted)
        if time.monotonic() - started > 1_200:
            break
    seconds = time.monotonic() - started
    while open_rows(stack) and time.monotonic() - started < 1_200:
        time.sleep(0.2)
    return seconds, times


if __name__ == "__main__":
    main()
