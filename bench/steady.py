"""A steady stream of deliveries for a long time: memory, delay, losses; and with a snapshot held open meanwhile.

    python -m bench.steady --rate 300 --minutes 30
    python -m bench.steady --rate 700 --minutes 5
    python -m bench.steady --rate 300 --minutes 14 --snapshots 3

One worker on the machine's cores, a receiver that takes 50 ms, attempts logged. A held snapshot (REPEATABLE READ, as a
dump or a forgotten session holds one) keeps dead rows from being cleaned up: claims must not slow down with them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.deliver import ENDPOINTS, RECEIVER_MS, SET_UP, connect, wait_for
from bench.place import inside, servers
from bench.publisher import Publishers
from supervisor import ports
from supervisor.stack import PYTHON, ROOT, WORKER, Stack

HOLD_SECONDS, CLEAN_SECONDS = 120, 300
WARM_SECONDS = 60  # caches fill; from then on memory must be flat
FLAT_BYTES = 24 * 1024 * 1024
P99_WANTED_MS, CLAIM_RATIO, OLDEST_WANTED_SECONDS = 300, 3, 2
BATCHES = 50  # commits in a second
_OLDEST = "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM webhooks_delivery"
_DEAD = "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE relname = ANY(%s)"
_WAITS = """
SELECT extract(epoch FROM a.started_at - e.happened_at) * 1000 FROM webhooks_attempt a
JOIN webhooks_event e ON e.id = a.event_id WHERE a.number = 1 ORDER BY 1
"""
NARROW = ["webhooks_delivery", "outbox_lane", "outbox_lanetimer"]


@dataclass
class Seen:
    """What was watched once a second, by seconds since the start."""

    memory: list[tuple[float, int]] = field(default_factory=list)
    oldest: list[tuple[float, float]] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)
    dead_after: list[int] = field(default_factory=list)  # rows, five minutes after the last snapshot


class Watcher(threading.Thread):
    def __init__(self, stack: Stack, seen: Seen, began: float) -> None:
        super().__init__(daemon=True)
        self.stack, self.seen, self.began = stack, seen, began
        self.stopping = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.stack.env["DATABASE_URL"], autocommit=True) as connection:
            while not self.stopping.wait(1):
                now = time.monotonic() - self.began
                self.seen.memory.append((now, resident(self.stack.child("worker").process.pid)))
                row = connection.execute(_OLDEST).fetchone()
                self.seen.oldest.append((now, float(row[0]) if row else 0))


class Holder(threading.Thread):
    """Holds a snapshot for two minutes, several times, a minute apart."""

    def __init__(self, stack: Stack, seen: Seen, began: float, times: int) -> None:
        super().__init__(daemon=True)
        self.stack, self.seen, self.began, self.times = stack, seen, began, times

    def run(self) -> None:
        time.sleep(WARM_SECONDS)
        for _ in range(self.times):
            with psycopg.connect(self.stack.env["DATABASE_URL"]) as connection:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                connection.execute("SELECT count(*) FROM outbox_lane")
                start = time.monotonic() - self.began
                time.sleep(HOLD_SECONDS)
                self.seen.holds.append((start, time.monotonic() - self.began))
            time.sleep(60)


def resident(pid: int) -> int:
    """Bytes of memory of a process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if str(pid) in (lines["Pid"].strip(), lines["PPid"].strip()) and "VmRSS" in lines:
                total += int(lines["VmRSS"].split()[0]) * 1024
        except (OSError, KeyError, ValueError):
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=300, help="events in a second")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--snapshots", type=int, default=0, help="how often a snapshot is held for two minutes")
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    port, seen = ports.choose(), Seen()
    with servers() as (_, stack):
        inside(stack, SET_UP, f"http://127.0.0.1:{port}/hook {ENDPOINTS}")
        receiver = subprocess.Popen([sys.executable, "-m", "bench.receiver", str(port), str(RECEIVER_MS)], cwd=ROOT)
        claims = stack.folder / "claims"
        try:
            with connect(stack) as connection:
                connection.execute("DELETE FROM webhooks_delivery")
                connection.execute("TRUNCATE webhooks_attempt")
                timed = [PYTHON, "-m", "bench.timed_claims", str(claims)]
                worker = [*WORKER, "-n", "outbox@%h", "-Q", "deliver", "-P", "threads", "-c", "2"]
                stack._run("worker", [*timed, *worker])
                began, wall = time.monotonic(), time.time()
                flow(stack, connection, seen, began, options.rate, options.minutes * 60, options.snapshots)
                wait_for(connection, "SELECT count(*) = 0 FROM webhooks_delivery", 120)
                waits = [float(row[0]) for row in connection.execute(_WAITS).fetchall()]
        finally:
            receiver.kill()
        took = [(float(at) - wall, float(ms)) for at, ms in map(str.split, claims.read_text().splitlines())]
    sys.exit(report(options, seen, waits, took))


def flow(
    stack: Stack,
    connection: psycopg.Connection,
    seen: Seen,
    began: float,
    rate: int,
    seconds: float,
    snapshots: int,
) -> None:
    """Commit events at a steady slot_kind, woken as the product does, and watch."""
    watcher = Watcher(stack, seen, began)
    watcher.start()
    if snapshots:
        Holder(stack, seen, began, snapshots).start()
    batch, begin, looked = rate // BATCHES, time.perf_counter(), False
    with Publishers(stack) as publishers:
        for number in range(int(seconds * BATCHES)):
            time.sleep(max(0.0, begin + number / BATCHES - time.perf_counter()))
            publishers.publish(batch)
            is_over = len(seen.holds) == snapshots > 0 and time.monotonic() - began > seen.holds[-1][1] + CLEAN_SECONDS
            if is_over and not looked:
                row = connection.execute(_DEAD, [NARROW]).fetchone()
                seen.dead_after.append(int(row[0]) if row else 0)
                looked = True
    watcher.stopping.set()


def part(values: list[float], which: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * which))] if values else 0.0


def report(options: argparse.Namespace, seen: Seen, waits: list[float], took: list[tuple[float, float]]) -> int:
    count = options.rate // BATCHES * int(options.minutes * 60 * BATCHES)
    lost, p99 = count - len(waits), part(waits, 0.99)
    warm = [size for at, size in seen.memory if at > WARM_SECONDS] or [size for _, size in seen.memory]
    third = max(1, len(warm) // 3)
    first, last = sorted(warm[:third])[third // 2], sorted(warm[-third:])[third // 2]
    print(f"events {count}, lost {lost}, commit to first attempt p50 {part(waits, 0.5):.0f} ms, p99 {p99:.0f} ms")
    print(f"memory of the worker: {first / 2**20:.0f} MB in the first third, {last / 2**20:.0f} MB in the last")
    is_good = lost == 0 and p99 <= P99_WANTED_MS and last - first <= FLAT_BYTES
    if seen.holds:
        is_good &= report_holds(seen, took)
    return 0 if is_good or (options.smoke and lost == 0) else 1


def report_holds(seen: Seen, took: list[tuple[float, float]]) -> bool:
    """Claims, and the age of the oldest open row, with a snapshot held and without."""

    def is_held(at: float) -> bool:
        return any(start <= at <= end for start, end in seen.holds)

    before = part([ms for at, ms in took if 10 < at < seen.holds[0][0]], 0.99)
    held = part([ms for at, ms in took if is_held(at)], 0.99)
    oldest = max(age for at, age in seen.oldest if is_held(at))
    print(f"a claim p99: {before:.1f} ms before, {held:.1f} ms with a snapshot held ({held / before:.1f}x)")
    print(f"oldest open row meanwhile {oldest:.2f} s; dead rows 5 minutes after: {seen.dead_after}")
    is_clean = bool(seen.dead_after) and seen.dead_after[0] < 20_000
    return held <= CLAIM_RATIO * before and oldest <= OLDEST_WANTED_SECONDS and is_clean


if __name__ == "__main__":
    main()
