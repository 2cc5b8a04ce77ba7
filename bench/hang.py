"""One endpoint of a hundred hangs, one drips a byte a second, one answers without end: what do the others notice?

    python -m bench.hang [--seconds 30]

The same load twice: with a hundred good endpoints, then with three bad ones. Ends in a line
`others p99 N ms (N ms without the bad ones), longest call N s, memory + N MB`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import psycopg

from bench.place import inside, servers
from supervisor.stack import PYTHON, ROOT, WORKER, Stack

ENDPOINTS, RATE = 100, 100  # events/s
BAD = ("hang", "drip", "flood")
DEADLINE_SECONDS, MEMORY_MB = 15, 64

SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Organization
from integrations import services as cards
from sources.services import create_source
url, count = sys.stdin.read().split()
organization = Organization.objects.create(name="Bench")
ids = []
for number in range(int(count)):
    source = create_source(organization=organization, actor=SYSTEM, name=f"Bench {number}")
    cards.set_up(card=source.restwebhook, actor=SYSTEM, url=f"{url}/good/{number}")
    cards.switch(card=source.restwebhook, on=True, actor=SYSTEM)
    ids.append(str(source.pk))
print(json.dumps(ids))
"""
SPEAK = """
import itertools, json, sys, time
from conversations.services.forms import Submission, take_submission
from accounts.models import Source
from leads.services import Details
ids, rate, seconds = json.loads(sys.stdin.read())
sources = [Source.objects.get(pk=one) for one in ids]
begin = time.monotonic()
for number in range(int(rate * seconds)):
    time.sleep(max(0, begin + number / rate - time.monotonic()))
    nonce = f"{begin}-{number}"
    details = Details(first_name="Ava", email=f"{nonce}@example.net")
    take_submission(source=sources[number % len(sources)], submission=Submission(details, "Hello", nonce=nonce))
"""


class Receivers(threading.Thread):
    """Good endpoints, and three that are not."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.url = ""
        self.late: list[float] = []  # seconds from an event to its arrival at a good endpoint
        self.longest = 0.0  # seconds that a bad one kept a call open
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.ready.set()
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                kind = head.split("/")[1]
                if kind == "good":
                    happened = datetime.fromisoformat(json.loads(body)["timestamp"])
                    self.late.append(time.time() - happened.timestamp())
                    await asyncio.sleep(0.02)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
                else:
                    await self._misbehave(kind, reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def _misbehave(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.monotonic()
        try:
            if kind == "hang":
                await reader.read()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
            while not await self._has_gone(reader, 1 if kind == "drip" else 0.001):
                writer.write(b"." if kind == "drip" else b"x" * 65536)
                await writer.drain()
        finally:
            self.longest = max(self.longest, time.monotonic() - began)
        raise OSError

    async def _has_gone(self, reader: asyncio.StreamReader, seconds: float) -> bool:
        """Wait for so long, or until the other side has hung up."""
        try:
            return await asyncio.wait_for(reader.read(1), seconds) == b""
        except TimeoutError:
            return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    receivers = Receivers()
    receivers.start()
    receivers.ready.wait()
    with servers() as (_, plain):
        stack = Stack(plain.folder, plain.env)
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
        try:
            ids = json.loads(inside(stack, SET_UP, f"{receivers.url} {ENDPOINTS}"))
            stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"])
            time.sleep(5)
            load(stack, receivers, ids, 5)  # connections are made, code is warm
            without, _ = load(stack, receivers, ids, options.seconds)
            with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
                for kind, source in zip(BAD, ids, strict=False):
                    change = "UPDATE webhooks_restwebhook SET url = %s WHERE source_id = %s"
                    connection.execute(change, [f"{receivers.url}/{kind}/", source])
            beside, grown = load(stack, receivers, ids, options.seconds)
        finally:
            stack.stop()
    print(
        f"others p99 {beside:.0f} ms ({without:.0f} ms without the bad ones),"
        f" longest call {receivers.longest:.1f} s, memory + {grown:.0f} MB"
    )
    is_good = beside <= max(1.2 * without, without + 200) and grown <= MEMORY_MB
    sys.exit(not (is_good and receivers.longest <= DEADLINE_SECONDS + 1))


def load(stack: Stack, receivers: Receivers, ids: list[str], seconds: int) -> tuple[float, float]:
    """Return the p99 of good endpoints in ms, and by how much the worker's memory grew in MB."""
    before, receivers.late = memory(stack), []
    command = [PYTHON, "manage.py", "shell", "--no-imports", "-c", SPEAK]
    words = json.dumps([ids, RATE, seconds])
    subprocess.run(command, cwd=ROOT, env=stack.env, input=words, text=True, check=True)
    time.sleep(DEADLINE_SECONDS + 2)
    ordered = sorted(receivers.late)
    return ordered[int(len(ordered) * 0.99)] * 1000, memory(stack) - before


def memory(stack: Stack) -> float:
    """Resident memory of the worker in MB."""
    status = Path(f"/proc/{stack.child('worker').process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
