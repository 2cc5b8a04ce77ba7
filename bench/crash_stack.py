"""A product without its demo, one process of it armed to die; what benches do to it and ask of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg

from core.ids import encode
from supervisor.stack import PYTHON, WORKER, Stack

IN_WEB = {"before-insert", "after-insert", "after-commit"}
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
