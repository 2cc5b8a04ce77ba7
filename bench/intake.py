"""Replies per second through the API, against pgbench and a bare Django view with the same statements.

    python -m bench.intake [--seconds 15]

All of it shares this machine: two web processes, PostgreSQL with every commit on disk, and the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from bench.load import MakeRequest, Outcome, closed_loop, once, open_loop, request
from bench.place import servers, set_up
from supervisor.postgres import find_binaries
from supervisor.stack import Stack

CONNECTIONS = 16
PACE = 100  # replies/s of the latency run
RATE_WANTED, PGBENCH_PART, P99_WANTED_MS = 350, 0.25, 50
UUID = re.compile(r"'([0-9a-f]{12}7[0-9a-f]{19})'")  # as psycopg writes a UUIDv7
# A fresh UUIDv7, as the product makes them, so that each run of a statement writes a row of its own.
FRESH = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7000' || substr(md5(random()::text), 1, 16))::uuid"


def capture(stack: Stack, log: Path, raws: list[bytes]) -> list[list[str]]:
    """Return the statements of some replies from the server's own log, with new ids made new at each run."""
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
        known = {row[0].hex for row in connection.execute(_KNOWN).fetchall()}
        for setting in ("log_statement = 'all'", "log_line_prefix = '@@ '"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(1)
        found = [_statements_of(stack, log, raw, known) for raw in raws]
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")
    return found


def _statements_of(stack: Stack, log: Path, raw: bytes, known: set[str]) -> list[str]:
    before = log.stat().st_size
    asyncio.run(once(stack.port, raw))
    time.sleep(0.1)
    text = log.read_bytes()[before:].decode()
    lines = [line.strip() for line in re.findall(r"@@ LOG:  statement: (.*?)(?=\n@@ |\Z)", text, re.DOTALL)]
    return [UUID.sub(lambda match: match[0] if match[1] in known else FRESH, line) for line in lines if line]


_KNOWN = """
SELECT id FROM accounts_source UNION SELECT id FROM outbox_lane UNION SELECT id FROM leads_lead
UNION SELECT id FROM conversations_conversation UNION SELECT id FROM accounts_organization
UNION SELECT id FROM lead_reply_api_replykey UNION SELECT id FROM lead_reply_api_leadreplyapi
"""


def pgbench(stack: Stack, captured: list[list[str]], seconds: int) -> float:
    """Transactions per second of the statements alone."""
    scripts = []
    for number, statements in enumerate(captured):
        script = stack.folder / f"reply-{number}.sql"
        script.write_text("".join(f"{' '.join(statement.split())};\n" for statement in statements))
        scripts += ["-f", str(script)]
    binary = find_binaries(stack.folder / "postgres").folder / "pgbench"
    command = [str(binary), "--no-vacuum", *scripts, "-c", str(CONNECTIONS), "-j", "2", "-T", str(seconds)]
    done = subprocess.run([*command, stack.env["DATABASE_URL"]], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(done.stdout + done.stderr)
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (running, stack):
        key, leads = set_up(stack)
        stack.start_web()
        body = json.dumps({"content": "We can come by today at four."}).encode()
        raws = [request(f"/v1/leads/{lead}/conversations/reply", key, body) for lead in leads]

        def make(number: int) -> bytes:
            return raws[number % len(raws)]

        asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=2))
        statements = capture(stack, running.running[0].log_path, raws)
        product = asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=options.seconds))
        keyed = asyncio.run(closed_loop(stack.port, with_a_key(make), connections=CONNECTIONS, seconds=options.seconds))
        paced = at_pace(stack, make, options.seconds)
        broker = running.running[1].child.process.pid
        os.kill(broker, signal.SIGSTOP)  # it takes connections and never answers
        stalled = at_pace(stack, make, options.seconds)
        os.kill(broker, signal.SIGCONT)
        stack.stop()
        floor = pgbench(stack, statements, options.seconds)
        bare = _bare(stack, statements, make, options.seconds)
        deadlocks = _deadlocks(stack)
    _report(statements, product, paced, floor, bare, deadlocks)
    print(f"  with an Idempotency-Key each {keyed.rate:8.0f}/s, {keyed.rate / product.rate:.0%} of without")
    print(f"  with the broker stalled      p50 {stalled.percentile(0.5):.1f} ms, p99 {stalled.percentile(0.99):.1f} ms")
    assert set(product.statuses | keyed.statuses | paced.statuses | stalled.statuses) == {201}
    assert deadlocks == 0
    if not options.smoke:
        assert product.rate >= RATE_WANTED, f"under {RATE_WANTED}/s"
        assert product.rate >= PGBENCH_PART * floor, f"under {PGBENCH_PART:.0%} of pgbench"
        assert paced.percentile(0.99) < P99_WANTED_MS, f"p99 over {P99_WANTED_MS} ms"
        assert stalled.percentile(0.99) <= 2 * paced.percentile(0.99), "a stalled broker slows intake"


def with_a_key(make: MakeRequest) -> MakeRequest:
    """The same calls as careful callers make them: each with an Idempotency-Key of its own."""

    def keyed(number: int) -> bytes:
        line, rest = make(number).split(b"\r\n", 1)
        return line + f"\r\nIdempotency-Key: {uuid4().hex}\r\n".encode() + rest

    return keyed


def at_pace(stack: Stack, make: MakeRequest, seconds: int) -> Outcome:
    return asyncio.run(open_loop(stack.port, make, rate=PACE, connections=CONNECTIONS, seconds=seconds))


def _bare(stack: Stack, statements: list[list[str]], make: MakeRequest, seconds: int) -> Outcome:
    path = stack.folder / "statements.json"
    path.write_text(json.dumps(statements))
    stack.start_web("bench.bare:application", BENCH_STATEMENTS=str(path))
    asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=1))
    return asyncio.run(closed_loop(stack.port, make, connections=CONNECTIONS, seconds=seconds))


def _deadlocks(stack: Stack) -> int:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.execute(query).fetchone()[0])


def _report(
    statements: list[list[str]], product: Outcome, paced: Outcome, floor: float, bare: Outcome, deadlocks: int
) -> None:
    print(f"statements of one reply        {len(statements[0])}")
    print(f"pgbench, the same statements   {floor:8.0f}/s")
    print(f"a bare Django view with them   {bare.rate:8.0f}/s")
    print(f"replies through the API        {product.rate:8.0f}/s, p99 {product.percentile(0.99):.0f} ms")
    print(f"  of pgbench                   {product.rate / floor:8.0%}")
    print(f"  of the bare view             {product.rate / bare.rate:8.0%}")
    print(f"replies at {PACE}/s               p50 {paced.percentile(0.5):.1f} ms, p99 {paced.percentile(0.99):.1f} ms")
    print(f"deadlocks                      {deadlocks}")


if __name__ == "__main__":
    main()
