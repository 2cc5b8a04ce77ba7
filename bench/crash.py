"""The crash matrix: SIGKILL at each named point, on each broker that is here; then everything must arrive.

    python -m bench.crash [--events 30] [--points after-send in-record]

Ends in a line `lost N, duplicates N, kills N, events N`. Fails when something was lost, when a point did not kill, or
when more came twice than was open at the kill, or answered in its last second and not written down. Gaps and leases run at
a tenth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from standardwebhooks import Webhook

from bench.crash_stack import IN_WEB, REPLAY, ROTATE, SET_UP, CrashStack, open_events, open_rows, post
from bench.crashing import HIT, POINTS, armed
from bench.place import inside, servers
from bench.witness import Seen, Witness
from supervisor.stack import PYTHON, ROOT, Stack

TIME_SCALE = "0.1"
DRAINED_SECONDS = 60
WARM_UP = 5  # events
RABBITMQ = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


@dataclass
class Trial:
    """What one point came to."""

    point: str
    broker: str
    events: int = 0
    lost: int = 0
    duplicates: int = 0
    allowed: int = 0
    kills: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.kills == 1 and not self.lost and self.duplicates <= self.allowed and not self.problems

    def __str__(self) -> str:
        return (
            f"{self.broker:9} {self.point:20} lost {self.lost}, duplicates {self.duplicates} (at most {self.allowed}),"
            f" kills {self.kills}, events {self.events} {'; '.join(self.problems)}".rstrip()
        )

    def count(self, witness: Witness, before_replay: int) -> None:
        """Compare what arrived with what was sent; after a replay, only what arrived since."""
        if before_replay:
            again = len(witness.requests) - before_replay
            self.lost, self.duplicates = max(0, self.events - again), max(0, again - self.events)
        else:
            self.lost, self.duplicates = self.events - len(witness.delivered()), witness.duplicates()


def try_point(stack: CrashStack, point: str, broker: str, count: int) -> Trial:
    """Kill one process at one point, start it again, and wait until everything has arrived."""
    trial, marker = Trial(point, broker), stack.folder / f"killed-{broker}-{point}"
    witness = Witness(answer=_answers(point)).start()
    business = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
    stack.start_armed(point, marker)
    _warm_up(stack, witness, business["token"], trial)
    armed(marker).touch()
    for number in range(count):
        (_post_through if point in IN_WEB else post)(stack, business["token"], number)
    trial.events += count
    before = 0
    if point == "in-a-rotation":
        _rotate(stack, marker, business["source"])
        post(stack, business["token"], count)
        trial.events += 1
    else:
        if point == "in-a-replay":
            before = _replay(stack, witness, business["source"], trial)
        _replace_the_dead(stack, point, marker, witness, trial)
    trial.kills = int(marker.exists())
    _wait(lambda: open_rows(stack) == 0, "the last delivery")
    trial.count(witness, before)
    _check_signatures(witness, business["signing"], trial)
    stack.stop()
    return trial


def _warm_up(stack: CrashStack, witness: Witness, token: str, trial: Trial) -> None:
    """Send the first events: what a process does for the first time takes longer than the 100 ms that are forgiven."""
    for number in range(WARM_UP):
        post(stack, token, 10_000 + number)
    _wait(lambda: len(witness.delivered()) == WARM_UP and open_rows(stack) == 0, "the first events")
    trial.events += WARM_UP


def _replay(stack: CrashStack, witness: Witness, source: str, trial: Trial) -> int:
    """Send everything again, and return how many requests there were before."""
    _wait(lambda: len(witness.delivered()) >= trial.events and open_rows(stack) == 0, "the events before the replay")
    before = len(witness.requests)
    inside(stack, REPLAY, source)
    return before


def _replace_the_dead(stack: CrashStack, point: str, marker: Path, witness: Witness, trial: Trial) -> None:
    """Wait for the kill, count what may come twice because of it, and start the process again."""
    victim = "web" if point in IN_WEB else "jobs" if point == "in-a-replay" else "worker"
    _wait(marker.exists, f"the kill at {point}")
    _wait(lambda: not stack.child(victim).is_running or victim == "web", "its death")
    killed_at = marker.stat().st_mtime
    if victim == "worker":  # it is gone, so what is not written down stays so
        trial.allowed = witness.exposed(killed_at, seconds=1, of=open_events(stack))
    else:
        trial.allowed = witness.exposed(killed_at)
    stack.replace(victim)


def _answers(point: str) -> Callable[[Seen, int], int]:
    """Where a point needs refusals, every third event is refused once: by count, so that there always are some."""
    refuses, firsts = point in ("scheduling-a-retry", "while-disabling"), itertools.count(1)

    def answer(seen: Seen, before: int) -> int:
        return 500 if refuses and before == 0 and next(firsts) % 3 == 0 else 200

    return answer


def _post_through(stack: CrashStack, token: str, number: int) -> None:
    """Post while the web server dies under it: its master ends with a worker that was killed."""
    try:
        post(stack, token, number, seconds=2)
    except SystemExit:
        stack.replace("web")
        post(stack, token, number)


def _rotate(stack: Stack, marker: Path, source: str) -> None:
    """Regenerate the keys in a process that dies before its commit."""
    command = [
        PYTHON,
        "-m",
        "bench.crashing",
        "in-a-rotation",
        str(marker),
        "manage.py",
        "shell",
        "--no-imports",
        "-c",
        ROTATE,
    ]
    done = subprocess.run(command, cwd=ROOT, env=stack.env, input=source, text=True, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def _check_signatures(witness: Witness, secret: str, trial: Trial) -> None:
    """What was never rotated to its end is still signed with the old secret."""
    for seen in witness.requests:
        try:
            Webhook(secret).verify(seen.body, seen.headers)
        except Exception as error:
            trial.problems.append(f"{seen.webhook_id} does not verify: {error}")
            return


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DRAINED_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {DRAINED_SECONDS} s")
        time.sleep(0.05)


def brokers(embedded: str) -> dict[str, str]:
    """The brokers that are here: Valkey always, RabbitMQ where one answers."""
    found = {"Valkey": embedded}
    host = RABBITMQ.rpartition("@")[2].partition("/")[0]
    name, _, port = host.partition(":")
    try:
        socket.create_connection((name, int(port or 5672)), timeout=1).close()
        found["RabbitMQ"] = RABBITMQ
    except OSError:
        print(f"RabbitMQ: none at {host}, 0 points tried on it")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=30)
    parser.add_argument("--points", nargs="*", default=list(POINTS), choices=list(POINTS))
    parser.add_argument("--valkey-only", action="store_true")
    options = parser.parse_args()
    if options.events < HIT:
        parser.error(f"--events: at least {HIT}, because a process is killed when it passes a point for that time.")
    trials: list[Trial] = []
    with servers() as (_, plain):
        here = {"Valkey": plain.env["BROKER_URL"]} if options.valkey_only else brokers(plain.env["BROKER_URL"])
        for (broker, url), point in itertools.product(here.items(), options.points):
            trials.append(_try_on(plain, url, point, broker, options.events))
            print(trials[-1], flush=True)
    lost, duplicates = sum(trial.lost for trial in trials), sum(trial.duplicates for trial in trials)
    kills, events = sum(trial.kills for trial in trials), sum(trial.events for trial in trials)
    print(f"lost {lost}, duplicates {duplicates}, kills {kills}, events {events}")
    sys.exit(not all(trial.is_good for trial in trials))


def _try_on(plain: Stack, broker_url: str, point: str, broker: str, count: int) -> Trial:
    stack = CrashStack(plain.folder, {**plain.env, "BROKER_URL": broker_url, "LEADWIRE_TIME_SCALE": TIME_SCALE})
    stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
    try:
        return try_point(stack, point, broker, count)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
