"""An import of 100,000 leads, with replies at 50/s beside it.

    python -m bench.importing [--rows 100000]

Ends in a line with seconds, rows a second, the p99 of the replies and the memory of the job's process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import urllib.request
from typing import Any

import psycopg

from bench.crash_stack import SET_UP as OWNER
from bench.load import Outcome, open_loop, request
from bench.place import Place, inside, servers, set_up
from bench.steady import resident
from supervisor.stack import CELERY, WORKER, Stack

SECONDS_WANTED, P99_WANTED_MS, MEMORY_WANTED = 180, 50, 300 * 2**20
RATE, WARM_SECONDS = 50, 3  # replies a second, and how long the fresh web processes warm up with them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (_, stack):
        place = set_up(stack)
        owner = json.loads(inside(stack, OWNER, "importer http://127.0.0.1:9/hook"))
        stack._run("jobs", [*WORKER, "-n", "jobs@%h", "-Q", "imports", "-c", "1"])
        stack._run("beat", [*CELERY, "beat", "--loglevel=critical", "-s", stack.folder / "beat", "--pidfile="])
        stack.start_web()
        body = "email,first_name,last_name,phone,tags,city\n" + "".join(
            f"n{n}@example.net,Ava,Brooks,+1415555{n % 10_000:04},web,Town {n % 100}\n" for n in range(options.rows)
        )
        asyncio.run(beside(stack, place, WARM_SECONDS))
        started = time.monotonic()
        job = start(stack, owner["token"], body.encode())
        outcome = asyncio.run(beside(stack, place, 20 if options.smoke else 30))
        memory = 0
        while not is_done(stack):
            memory = max(memory, resident(stack.child("jobs").process.pid))
            time.sleep(0.3)
        seconds = time.monotonic() - started
        counts = result(stack)
    p99 = outcome.percentile(0.99)
    print(f"{job}: {counts}")
    rate = options.rows / seconds
    print(f"{seconds:.0f} s, {rate:.0f} rows/s; replies at {RATE}/s p99 {p99:.0f} ms; memory {memory / 2**20:.0f} MB")
    assert counts["created"] == options.rows
    is_good = seconds <= SECONDS_WANTED and p99 <= P99_WANTED_MS and memory <= MEMORY_WANTED
    assert options.smoke or is_good


def start(stack: Stack, token: str, body: bytes) -> str:
    url = f"http://127.0.0.1:{stack.port}/v1/leads/import"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=60) as answer:
        return str(json.load(answer)["id"])


async def beside(stack: Stack, place: Place, seconds: float) -> Outcome:
    def make(number: int) -> bytes:
        lead = place.leads[number % len(place.leads)]
        body = json.dumps({"content": f"Hello {number}"}).encode()
        return request(f"/v1/leads/{lead}/conversations/reply", place.key, body)

    return await open_loop(stack.port, make, rate=RATE, connections=16, seconds=seconds)


def _rows(stack: Stack, query: str) -> Any:
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
        return connection.execute(query).fetchone()


def is_done(stack: Stack) -> bool:
    return bool(_rows(stack, "SELECT status = 'done' FROM outbox_job WHERE category = 'import'")[0])


def result(stack: Stack) -> dict[str, int]:
    found: dict[str, int] = _rows(stack, "SELECT result FROM outbox_job WHERE category = 'import'")[0]
    return found


if __name__ == "__main__":
    main()
