"""A month ends with nobody looking, and ten million old rows are dropped beside a steady intake.

    python -m bench.months [--rows 10000000]

No periodic task runs for 40 days: intake goes on in the partitions made ahead. Then months older than what is kept are
dropped while 300 events a second are committed and delivered; the server's own log says which statement took more than
a second and which waited more than 100 ms for a lock. Ends in a line `lost N, slow statements N, lock waits N`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg

from bench.deliver import ENDPOINTS, RECEIVER_MS, SET_UP, connect, wait_for
from bench.place import inside, servers
from bench.publisher import Publishers
from core.ids import first_id
from supervisor import ports
from supervisor.stack import ROOT, WORKER, Stack

RATE, BATCHES = 300, 50  # events and commits in a second
SLOW_MS, LOCK_MS = 1_000, 100
AHEAD = """
import json, sys
from bench.skewed import skew
from conversations.services.forms import Submission, take_submission
from webhooks.models import Event
from accounts.models import Source
from leads.services import Details
skew(40 * 86_400)
source = Source.objects.first()
before = Event.objects.count()
for number in range(20):
    details = Details(first_name="Ava", email=f"later{number}@example.net")
    take_submission(source=source, submission=Submission(details, "Later.", nonce=f"later{number}"))
print(json.dumps(Event.objects.count() - before))
"""
MAKE_OLD_MONTHS = """
from datetime import datetime, timedelta, UTC
from core.partitions import ensure_partitions
ensure_partitions(datetime.now(UTC) - timedelta(days=270))
print("made")
"""
FORGET = """
import json
from core.retention import drop_expired_partitions
dropped = []
for _ in range(20):
    dropped += drop_expired_partitions()
print(json.dumps(dropped))
"""
# Ids of an old month, as many as there are milliseconds and more.
FILL = """
WITH made AS (
    SELECT n, (lpad(to_hex(%(begin)s + n %% 2000000000), 12, '0') || '7' || lpad(to_hex(n %% 4096), 3, '0') || '8'
        || lpad(to_hex(n), 15, '0'))::uuid AS id FROM generate_series(1, %(count)s) n
), events AS (
    INSERT INTO webhooks_event (id, organization_id, source_id, type, sequence, happened_at, payload)
    SELECT id, %(one)s, %(one)s, 'lead.created', 1, now(), '{"lead": {"email": "ava@example.net"}}' FROM made
), entries AS (
    INSERT INTO webhooks_feedentry (event_id, organization_id, position, source_id)
    SELECT id, %(one)s, n, %(one)s FROM made WHERE n %% 10 = 0
)
INSERT INTO webhooks_attempt (id, delivery_id, event_id, lane_id, organization_id, source_id, event_type, is_test,
    number, started_at, duration_ms, outcome, error, url, dialled, request_headers, request_body, answer_headers,
    answer_body, next_because)
SELECT id, id, id, %(one)s, %(one)s, %(one)s, 'lead.created', false, 1, now(), 1, 'delivered', '', '', '', '{}', '{}',
    '{}', '', '' FROM made
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="events, attempts and feed entries together")
    options = parser.parse_args()
    port = ports.choose()
    with servers() as (running, stack):
        stack.env |= {"EVENTS_KEPT_DAYS": "90"}
        inside(stack, SET_UP, f"http://127.0.0.1:{port}/hook {ENDPOINTS}")
        receiver = subprocess.Popen([sys.executable, "-m", "bench.receiver", str(port), str(RECEIVER_MS)], cwd=ROOT)
        try:
            with connect(stack) as connection:
                prepare(stack, connection, options.rows)
                log = running.running[0].log_path
                begin = log.stat().st_size
                lost = drop_beside_the_flow(stack, connection)
                said = log.read_bytes()[begin:].decode(errors="replace").splitlines()
        finally:
            receiver.kill()
    slow = [line for line in said if " duration: " in line and "generate_series" not in line]
    waits = [line for line in said if "still waiting for" in line]
    for line in (*slow, *waits)[:20]:
        print(f"  {line[:200]}")
    print(f"lost {lost}, slow statements {len(slow)}, lock waits {len(waits)}")
    sys.exit(bool(lost or slow or waits))


def prepare(stack: Stack, connection: psycopg.Connection, rows: int) -> None:
    came = json.loads(inside(stack, AHEAD))
    print(f"40 days without a periodic task: {came} of 20 leads taken", flush=True)
    assert came >= 20
    connection.execute("DELETE FROM webhooks_delivery")
    inside(stack, MAKE_OLD_MONTHS)
    connection.execute("SET statement_timeout = 0")
    month = (datetime.now(UTC) - timedelta(days=270)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin, one = first_id(month).int >> 80, "00000000-0000-7000-8000-000000000001"
    count, started = int(rows / 2.1), time.monotonic()
    connection.execute("SET synchronous_commit = off")
    connection.execute(FILL, {"begin": begin, "count": count, "one": one})
    connection.execute("SET synchronous_commit = on")
    print(
        f"{count:,} events and attempts, {count // 10:,} feed entries in {time.monotonic() - started:.0f} s", flush=True
    )
    for name, value in (
        ("deadlock_timeout", f"{LOCK_MS}ms"), ("log_lock_waits", "on"), ("log_min_duration_statement", f"{SLOW_MS}ms"),
    ):  # fmt: skip
        connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    connection.execute("CHECKPOINT")
    connection.execute("SELECT pg_reload_conf()")
    stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver", "-P", "threads", "-c", "2"])


def drop_beside_the_flow(stack: Stack, connection: psycopg.Connection) -> int:
    """Drop the old months while events flow; return how many of these were not attempted."""
    dropped: list[str] = []

    def drop() -> None:
        time.sleep(5)
        started = time.monotonic()
        dropped.extend(json.loads(inside(stack, FORGET)))
        print(f"dropped {len(dropped)} months in {time.monotonic() - started:.0f} s", flush=True)

    dropper, count = threading.Thread(target=drop), 0
    dropper.start()
    begin, number, still = time.perf_counter(), 0, 5 * BATCHES
    with Publishers(stack) as publishers:
        while dropper.is_alive() or still:
            still -= not dropper.is_alive()
            time.sleep(max(0.0, begin + number / BATCHES - time.perf_counter()))
            publishers.publish(RATE // BATCHES)
            number, count = number + 1, count + RATE // BATCHES
    wait_for(connection, "SELECT count(*) = 0 FROM webhooks_delivery", 120)
    row = connection.execute("SELECT count(DISTINCT event_id) FROM webhooks_attempt WHERE number = 1").fetchone()
    assert row
    assert dropped
    return count - int(row[0])


if __name__ == "__main__":
    main()
