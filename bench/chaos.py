"""The chaos run: workers killed all the time, broker and database restarted, the broker wiped and away.

    python -m bench.chaos [--messages 20000] [--outage 60]

Four workers of the outbox and one for jobs. Every half to two seconds one of them is killed, every ten seconds two at
once; the broker is restarted three times, wiped once and away for a minute; PostgreSQL is restarted twice. Ends in a
line `lost N, duplicates N, kills N, events N`. Fails when something was lost, when nothing was killed, when more came
twice than was open at a kill or answered in the 100 ms before, or when it was not drained 120 s after the last fault.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from bench.crash import SET_UP, open_rows, post
from bench.place import inside, servers
from bench.witness import Witness
from config.supervisor.postgres import Postgres
from config.supervisor.stack import CELERY, WORKER, Stack
from config.supervisor.valkey import Valkey

WORKERS = 4
CALLERS = 8
DRAINED_SECONDS = 120
TIME_SCALE = "0.2"


class Faults(threading.Thread):
    """Makes them until told to stop. Children are started by the main thread (PDEATHSIG), so it only kills."""

    def __init__(self, stack: Stack, witness: Witness) -> None:
        super().__init__(daemon=True)
        self.stack, self.witness = stack, witness
        self.stopping = threading.Event()
        self.kills = self.allowed = 0

    def run(self) -> None:
        last_two = time.monotonic()
        while not self.stopping.wait(random.uniform(0.5, 2)):
            count = 1
            if time.monotonic() - last_two > 10:
                count, last_two = 2, time.monotonic()
            for name in random.sample(names(), count):
                self._kill(name)

    def _kill(self, name: str) -> None:
        child = next((one for one in self.stack.children if one.name == name), None)
        if child and child.is_running:
            os.killpg(child.process.pid, signal.SIGKILL)
            self.kills += 1
            self.allowed += self.witness.exposed(time.time())


def names() -> list[str]:
    return [*(f"worker-{number}" for number in range(WORKERS)), "jobs"]


def start(stack: Stack) -> None:
    for number in range(WORKERS):
        words = ["-n", f"outbox{number}@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"]
        stack._run(f"worker-{number}", [*WORKER, *words], LEADWIRE_DELIVER_SLOTS="50")
    stack._run("jobs", [*WORKER, "-n", "jobs@%h", "-Q", "jobs,mail,imports", "-c", "1"])
    stack._run("beat", [*CELERY, "beat", "--loglevel=critical", "-s", stack.folder / "beat", "--pidfile="])
    stack.start_web()


def disturb(
    stack: Stack, postgres: Postgres, valkey: Valkey, faults: Faults, until: threading.Event, outage: int
) -> None:
    """The faults of servers, one after the other, while workers die beside them."""
    plan = [
        ("broker restarted", lambda: restart(valkey)),
        ("database restarted", lambda: restart(postgres)),
        ("broker restarted", lambda: restart(valkey)),
        ("broker wiped", lambda: wipe(valkey)),
        ("broker away", lambda: away(stack, valkey, outage)),
        ("broker restarted", lambda: restart(valkey)),
        ("database restarted", lambda: restart(postgres)),
    ]
    for words, fault in plan:
        keep_alive(stack, 4)
        print(f"  {words} ({faults.kills} kills so far)", flush=True)
        fault()
    while not until.is_set():
        keep_alive(stack, 0.5)


def keep_alive(stack: Stack, seconds: float) -> None:
    """Start what was killed, as an operator's supervisor does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for child in list(stack.children):
            if not child.is_running:
                stack.restart(child.name)
        time.sleep(0.2)


def restart(server: Postgres | Valkey) -> None:
    server.stop()
    server.start()


def wipe(valkey: Valkey) -> None:
    """An empty broker, as after a lost disk: the embedded one keeps nothing on disk."""
    restart(valkey)


def away(stack: Stack, valkey: Valkey, seconds: int) -> None:
    valkey.stop()
    keep_alive(stack, seconds)
    valkey.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--outage", type=int, default=60, help="seconds without a broker")
    options = parser.parse_args()
    witness = Witness(delay=0.01).start()
    with servers() as (running, plain):
        stack = Stack(plain.folder, {**plain.env, "LEADWIRE_TIME_SCALE": TIME_SCALE})
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "CRITICAL"}
        try:
            postgres, valkey = running.running
            assert isinstance(postgres, Postgres)
            assert isinstance(valkey, Valkey)
            sys.exit(run(stack, witness, postgres, valkey, options))
        finally:
            stack.stop()


def run(stack: Stack, witness: Witness, postgres: Postgres, valkey: Valkey, options: argparse.Namespace) -> int:
    made = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
    start(stack)
    faults, sent = Faults(stack, witness), threading.Event()

    def send_all() -> None:
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(lambda number: post(stack, made["token"], number, seconds=300), range(options.messages)))
        sent.set()

    sender = threading.Thread(target=send_all, daemon=True)
    faults.start()
    sender.start()
    disturb(stack, postgres, valkey, faults, sent, options.outage)
    faults.stopping.set()
    faults.join()
    last_fault = time.monotonic()
    while open_rows(stack) and time.monotonic() - last_fault < DRAINED_SECONDS:
        keep_alive(stack, 0.5)
    drained = time.monotonic() - last_fault
    lost = options.messages - len(witness.delivered())
    duplicates = witness.duplicates()
    print(f"drained {drained:.0f} s after the last fault; duplicates allowed: {faults.allowed}")
    print(f"lost {lost}, duplicates {duplicates}, kills {faults.kills}, events {options.messages}")
    is_good = lost == 0 and faults.kills > 0 and duplicates <= faults.allowed and not open_rows(stack)
    return 0 if is_good else 1


if __name__ == "__main__":
    main()
