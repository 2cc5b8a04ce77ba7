"""What 10,000 connections cost that have nothing to do: CPU of the worker that sends, and of PostgreSQL.

    python -m bench.idle [--connections 10000] [--seconds 30]

Wanted: of one core at most 1 % more of the worker, and 3 % more of PostgreSQL, than with none.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.place import inside, servers
from supervisor.stack import WORKER, Stack

TICKS = 100  # of CPU time in a second: sysconf(SC_CLK_TCK) on Linux
SETTLED_SECONDS = 45  # longer than a lane waits between two looks
SET_UP = """
import sys
from accounts.actors import SYSTEM
from accounts.models import Organization
from django.db import transaction
from messaging.models import ChannelConnection
from messaging.services import _make_lane
from sources.services import create_source
organization = Organization.objects.create(name="Bench")
source = create_source(organization=organization, actor=SYSTEM, name="Bench")
with transaction.atomic():
    for number in range(int(sys.stdin.read())):
        ChannelConnection.objects.create(organization=organization, source=source, lane=_make_lane(source), kind="sms",
                                         provider="twilio", name=str(number), callback_token=f"bench{number}")
print(ChannelConnection.objects.count())
"""


def cpu_seconds(words: str) -> float:
    """CPU time so far of all processes whose command has these words."""
    total = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if words in command:
            total += sum(map(int, fields[11:15]))  # its own, and that of children that have ended
    return total / TICKS


def measure(stack: Stack, seconds: float) -> tuple[float, float]:
    """Per cent of a core: of the worker, and of all PostgreSQL on this machine."""
    stack._run("worker", [*WORKER, "-n", "idle@%h", "-Q", "send", "-P", "threads", "-c", "2"])
    time.sleep(SETTLED_SECONDS)
    names = ("idle@", "postgres")
    before, began = [cpu_seconds(name) for name in names], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    worker, database = [(cpu_seconds(name) - was) / passed * 100 for name, was in zip(names, before, strict=True)]
    stack.stop()
    return worker, database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with servers() as (_, stack):
        nothing = measure(stack, options.seconds)
        inside(stack, SET_UP, str(options.connections))
        many = measure(stack, options.seconds)
    for name, first, second in zip(("worker", "PostgreSQL"), nothing, many, strict=True):
        print(f"{name}: {first:.1f} % of a core with none, {second:.1f} % with {options.connections:,}")
    assert many[0] - nothing[0] <= 1
    assert many[1] - nothing[1] <= 3


if __name__ == "__main__":
    main()
