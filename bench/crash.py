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
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from standardwebhooks import Webhook

from bench.crashing import HIT, POINTS, armed
from bench.place import inside, servers
from bench.witness import Seen, Witness
from core.ids import encode
from supervisor.stack import PYTHON, ROOT, WORKER, Stack

TIME_SCALE = "0.1"
DRAINED_SECONDS = 60
WARM_UP = 5  # events
IN_WEB = {"before-insert", "after-insert", "after-commit"}
RABBITMQ = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")

SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Membership, Organization, User
from integrations import services as cards
from api import services as tokens
from sources.services import create_source
name, url = sys.stdin.read().split()
organization = Organization.objects.create(name=name)
user = User.objects.create_user(f"{name}@example.com", None)
owner = Membership.objects.create(organization=organization, user=user, role="owner")
source = create_source(organization=organization, actor=SYSTEM, name=name)
made = cards.set_up(card=source.restwebhook, actor=SYSTEM, url=url)
cards.switch(card=source.restwebhook, on=True, actor=SYSTEM)
token = tokens.make_token(creator=owner, actor=SYSTEM, name="x", scopes=["leads:write"])[1]
print(json.dumps({"source": str(source.pk), "token": token, "signing": made.secrets["Signing secret"]}))
"""
REPLAY = """
import sys
from datetime import timedelta
from django.utils import timezone
from accounts.actors import SYSTEM
from webhooks.models import RestWebhook
from webhooks.services.replays import start_replay
card = RestWebhook.objects.with_credential_card().get(source=sys.stdin.read().strip())
start_replay(endpoint=card, actor=SYSTEM, since=timezone.now() - timedelta(hours=1), only_undelivered=False)
print("started")
"""
ROTATE = """
import sys
from datetime import timedelta
from accounts.actors import SYSTEM
from webhooks.models import RestWebhook
from integrations import services as cards
cards.regenerate(card=RestWebhook.objects.get(source=sys.stdin.read().strip()), actor=SYSTEM, overlap=timedelta(hours=1))
print("rotated")
"""


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


class CrashStack(Stack):
    """The product without its demo, one process of it armed."""

    def start_armed(self, point: str, marker: Path) -> None:
        armed: list[str | Path] = [PYTHON, "-m", "bench.crashing", point, marker]

        def command(words: list[str | Path], is_armed: bool) -> list[str | Path]:
            return [*armed, *words] if is_armed else words

        in_worker = point not in IN_WEB and not point.startswith("in-a-")
        outbox: list[str | Path] = [*WORKER, "-n", "outbox@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"]
        jobs: list[str | Path] = [*WORKER, "-n", "jobs@%h", "-Q", "jobs", "-P", "threads", "-c", "1"]
        self._run("worker", command(outbox, in_worker))
        self._run("jobs", command(jobs, point == "in-a-replay"))
        beat = [
            WORKER[0],
            "-A",
            "config",
            "beat",
            "--loglevel=warning",
            "-s",
            self.folder / f"beat-{point}",
            "--pidfile=",
        ]
        self._run("beat", beat)
        if point in IN_WEB:
            self.start_web("bench.crashing_web:application", BENCH_CRASH_AT=point, BENCH_CRASH_MARKER=str(marker))
        else:
            self.start_web()

    def replace(self, name: str) -> None:
        """Start a process again, unarmed."""
        gone = self.child(name)
        gone.stop()
        self.children.remove(gone)
        command, _ = self.recipes[name]
        if "bench.crashing" in command:
            command = command[5:]
        if name == "web":
            self.start_web()
        else:
            self._run(name, command)


def post(stack: Stack, token: str, number: int, seconds: float = 60) -> None:
    """Create a lead as a careful caller does: the same key until it is acknowledged."""
    body = {
        "first_name": "Ava",
        "request_title": "Tap",
        "identifier_type": "email",
        "email": f"ava{number % 10}@example.net",
    }
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": f"event-{number}",
    }
    deadline = time.monotonic() + seconds
    while True:
        request = urllib.request.Request(
            f"http://127.0.0.1:{stack.port}/v1/leads", data=json.dumps(body).encode(), headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 201
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"event {number} was never acknowledged: {error}") from error
            time.sleep(0.1)


def try_point(stack: CrashStack, point: str, broker: str, count: int) -> Trial:
    """Kill one process at one point, start it again, and wait until everything has arrived."""
    trial, marker = Trial(point, broker, events=count), stack.folder / f"killed-{broker}-{point}"
    witness = Witness(answer=_answers(point)).start()
    made = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
    stack.start_armed(point, marker)
    victim = "web" if point in IN_WEB else "jobs" if point == "in-a-replay" else "worker"
    # Warm first: what a process does for the first time takes longer than the 100 ms that are forgiven.
    for number in range(WARM_UP):
        post(stack, made["token"], 10_000 + number)
    _wait(lambda: len(witness.delivered()) == WARM_UP and open_rows(stack) == 0, "the first events")
    trial.events += WARM_UP
    armed(marker).touch()
    send = _post_through if victim == "web" else post
    for number in range(count):
        send(stack, made["token"], number)
    if point == "in-a-rotation":
        _rotate(stack, marker, made["source"])
        post(stack, made["token"], count)
        trial.events += 1
    if point == "in-a-replay":
        _wait(
            lambda: len(witness.delivered()) >= trial.events and open_rows(stack) == 0, "the events before the replay"
        )
        before = len(witness.requests)
        inside(stack, REPLAY, made["source"])
    if point != "in-a-rotation":
        _wait(marker.exists, f"the kill at {point}")
        _wait(lambda: not stack.child(victim).is_running or victim == "web", "its death")
        killed_at = marker.stat().st_mtime
        if victim == "worker":  # it is gone, so what is not written down stays so
            trial.allowed = witness.exposed(killed_at, seconds=1, of=open_events(stack))
        else:
            trial.allowed = witness.exposed(killed_at)
        stack.replace(victim)
    trial.kills = int(marker.exists())
    _wait(lambda: open_rows(stack) == 0, "the last delivery")
    if point == "in-a-replay":
        again = len(witness.requests) - before
        trial.lost, trial.duplicates = max(0, trial.events - again), max(0, again - trial.events)
    else:
        trial.lost = trial.events - len(witness.delivered())
        trial.duplicates = witness.duplicates()
    _check_signatures(witness, made["signing"], trial)
    stack.stop()
    return trial


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


def open_rows(stack: Stack) -> int:
    """Deliveries and jobs that are not over; one at least while the database starts and cannot say."""
    try:
        return _open_rows(stack)
    except psycopg.OperationalError:
        return 1


def open_events(stack: Stack) -> set[str]:
    """The events that still have a delivery, by the id that receivers see."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT event_id FROM webhooks_delivery").fetchall()
    return {encode("evt", event_id) for (event_id,) in rows}


def _open_rows(stack: Stack) -> int:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM webhooks_delivery").fetchone()
        jobs = connection.execute(
            "SELECT count(*) FROM outbox_job WHERE status IN ('scheduled', 'processing')"
        ).fetchone()
    return int(row[0] + jobs[0]) if row and jobs else 0


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
        here = brokers(plain.env["BROKER_URL"])
        for broker, url in here.items():
            if options.valkey_only and broker != "Valkey":
                continue
            for point in options.points:
                stack = CrashStack(plain.folder, {**plain.env, "BROKER_URL": url, "LEADWIRE_TIME_SCALE": TIME_SCALE})
                stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
                try:
                    trials.append(try_point(stack, point, broker, options.events))
                finally:
                    stack.stop()
                one = trials[-1]
                print(
                    f"{broker:9} {point:20} lost {one.lost}, duplicates {one.duplicates} (at most {one.allowed}),"
                    f" kills {one.kills}, events {one.events}{' ' + '; '.join(one.problems) if one.problems else ''}",
                    flush=True,
                )
    lost, duplicates = sum(one.lost for one in trials), sum(one.duplicates for one in trials)
    kills, events = sum(one.kills for one in trials), sum(one.events for one in trials)
    print(f"lost {lost}, duplicates {duplicates}, kills {kills}, events {events}")
    sys.exit(not all(one.is_good for one in trials))


if __name__ == "__main__":
    main()
