"""A quiet organization beside one that does its worst: what the quiet one's replies, deliveries, mails and pages take.

    python -m bench.neighbours [--seconds 20]

The other one has 100 webhooks whose server takes 10 s, six imports, a replay of all its events, sends floods of mail,
and from the same address come 100 unknown keys a second. Each is tried alone, and at the end all together. Wanted: p99
at most doubles, and nothing is refused or lost.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import smtplib
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from bench.place import inside, servers
from supervisor import ports
from supervisor.stack import ROOT, Stack

TIMES_WANTED = 2.0
SLOW_MS = 10_000
WEBHOOKS, IMPORTS, ROWS, EVENTS = 100, 6, 20_000, 500
SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Membership, Organization, User
from conversations.services.forms import Submission, take_submission
from integrations import services as cards
from webhooks.services import subscriptions
from api import services as tokens
from sources.services import create_source
from leads.models import Lead
from leads.services import Details
fast, slow, count, events = sys.stdin.read().split()
made = {}
for name in ("quiet", "greedy"):
    organization = Organization.objects.create(name=name)
    user = User.objects.create_user(f"{name}@example.com", "a long password of ours")
    creator = Membership.objects.create(organization=organization, user=user, role="owner")
    source = create_source(organization=organization, actor=SYSTEM, name=name)
    key = cards.set_up(card=source.leadreplyapi, actor=SYSTEM).secrets["Secret key"]
    cards.switch(card=source.leadreplyapi, on=True, actor=SYSTEM)
    take_submission(source=source, submission=Submission(Details(first_name="Ava", email="ava@example.net"), "Tap"))
    cards.set_up(card=source.restwebhook, actor=SYSTEM, url=fast if name == "quiet" else slow)
    cards.switch(card=source.restwebhook, on=True, actor=SYSTEM)
    scopes = ["leads:write", "webhooks:write", "jobs:write"]
    token = tokens.make_token(creator=creator, actor=SYSTEM, name="Bench", scopes=scopes)[1]
    made[name] = {"key": key, "token": token, "source": source.public_id, "lead": Lead.objects.latest("id").public_id,
                  "lane": str(source.restwebhook.lane_id), "address": source.connections.get(kind="email").address}
    if name == "greedy":
        subs = [subscriptions.subscribe(creator=creator, actor=SYSTEM, name=f"Slow {n}", url=slow,
                event_types=["lead.created", "message.received"])[0] for n in range(int(count))]
        made[name]["webhook"] = subs[0].public_id
        for number in range(int(events)):
            details = Details(first_name="Bo", email=f"bo{number}@example.net")
            take_submission(source=source, submission=Submission(details, "Roof"))
print(json.dumps(made))
"""
_number = itertools.count()


def call(url: str, key: str = "", body: bytes | None = None, kind: str = "application/json") -> int:
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


def send_mail(port: int, address: str) -> None:
    number = next(_number)
    mail = f"From: a{number}@x.example\r\nMessage-ID: <{os.getpid()}.{number}@x>\r\nSubject: Tap\r\n\r\nIt leaks.\r\n"
    with contextlib.suppress(smtplib.SMTPException), smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail("a@x.example", address, mail)


class Quiet:
    """The organization that is measured."""

    def __init__(self, stack: Stack, made: dict[str, str]) -> None:
        self.stack, self.made = stack, made
        self.base = f"http://127.0.0.1:{stack.port}"

    def measure(self, seconds: float) -> dict[str, float]:
        """p99 in milliseconds of each thing that its people and systems wait for."""
        took: dict[str, list[float]] = {"reply": [], "page": []}
        reply = json.dumps({"content": "We come today."}).encode()
        with psycopg.connect(self.stack.env["DATABASE_URL"], autocommit=True) as connection:
            row = connection.execute("SELECT now()").fetchone()
            assert row
            began = row[0]
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                for name, work in (
                    ("reply", lambda: call(self._path("reply"), self.made["key"], reply)),
                    ("page", lambda: call(f"{self.base}/accounts/login/")),
                ):
                    started = time.perf_counter()
                    status = work()
                    took[name].append((time.perf_counter() - started) * 1000)
                    assert status in (200, 201), (name, status)
                number = next(_number)
                status = call(f"{self.base}/v1/leads", self.made["token"], _lead(number))
                assert status == 201, status
                send_mail(self.stack.mail_port, self.made["address"])
                time.sleep(0.1)
            time.sleep(3)
            values = {"lane": self.made["lane"], "began": began}
            took["delivery"] = [float(row[0]) for row in connection.execute(_DELIVERIES, values).fetchall()]
            took["mail"] = [
                float(row[0]) for row in connection.execute(_MAILS, [self.made["address"], began]).fetchall()
            ]
            waiting = connection.execute("SELECT count(*) FROM webhooks_delivery WHERE lane_id = %(lane)s", values)
            assert waiting.fetchone() == (0,), "a delivery of the quiet one still waits"
        return {name: p99(values) for name, values in took.items()}

    def _path(self, what: str) -> str:
        return f"{self.base}/v1/leads/{self.made['lead']}/conversations/{what}"


def _lead(number: int) -> bytes:
    lead = {"first_name": "Ava", "request_title": "Tap", "identifier_type": "email", "email": f"q{number}@example.net"}
    return json.dumps(lead).encode()


_DELIVERIES = """
SELECT extract(epoch FROM a.started_at - e.happened_at) * 1000 FROM webhooks_attempt a
JOIN webhooks_event e ON e.id = a.event_id WHERE a.lane_id = %(lane)s AND a.number = 1 AND e.happened_at > %(began)s
"""
_MAILS = """
SELECT extract(epoch FROM m.created_at - i.received_at) * 1000 FROM messaging_inboundmail i
JOIN conversations_message m ON m.id = i.message_id WHERE i.envelope_to = %s AND i.received_at > %s
"""


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 0.0


@contextmanager
def again_and_again(work: Callable[[], object], rate: float) -> Iterator[None]:
    """Do something so many times a second, for as long as the block lasts.

    In another process: the quiet one's callers would wait for its threads, and not for the product.
    """
    process = multiprocessing.get_context("fork").Process(target=_repeat, args=(work, rate), daemon=True)
    process.start()
    yield
    process.kill()
    process.join()


def _repeat(work: Callable[[], object], rate: float) -> None:
    def run() -> None:
        while True:
            time.sleep(4 / rate)
            with contextlib.suppress(OSError):
                work()

    for _ in range(4):
        threading.Thread(target=run).start()


class Greedy:
    """The organization beside it."""

    def __init__(self, stack: Stack, made: dict[str, str]) -> None:
        self.stack, self.made = stack, made
        self.base = f"http://127.0.0.1:{stack.port}"

    def slow_webhooks(self) -> contextlib.AbstractContextManager[None]:
        lead = lambda: call(f"{self.base}/v1/leads", self.made["token"], _lead(next(_number)))  # noqa: E731
        return again_and_again(lead, 2)

    @contextmanager
    def imports(self) -> Iterator[None]:
        rows = "\n".join(f"i{next(_number)}@example.net,Ina" for _ in range(ROWS))
        path = f"{self.base}/v1/leads/import?source_id={self.made['source']}"
        for _ in range(IMPORTS):
            call(path, self.made["token"], f"email,first_name\n{rows}\n".encode(), "text/csv")
        yield

    @contextmanager
    def replay(self) -> Iterator[None]:
        body = json.dumps({"since": "2026-01-01T00:00:00Z", "only_undelivered": False}).encode()
        call(f"{self.base}/v1/webhooks/{self.made['webhook']}/replay", self.made["token"], body)
        yield

    def mails(self) -> contextlib.AbstractContextManager[None]:
        return again_and_again(lambda: send_mail(self.stack.mail_port, self.made["address"]), 30)

    def guesses(self) -> contextlib.AbstractContextManager[None]:
        keys = iter(inside(self.stack, _KEYS).split())
        return again_and_again(lambda: call(f"{self.base}/v1/whoami", next(keys)), 100)


_KEYS = """
from core.secrets import make_key
print(" ".join(make_key("lwa_") for _ in range(20_000)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", nargs="*", default=None, help="of the ways; none: the quiet one alone")
    options = parser.parse_args()
    fast, slow = ports.choose(), ports.choose()
    with servers() as (_, stack), ExitStack() as receivers:
        for port, milliseconds in ((fast, 5), (slow, SLOW_MS)):
            command = [sys.executable, "-m", "bench.receiver", str(port), str(milliseconds)]
            receivers.callback(subprocess.Popen(command, cwd=ROOT).kill)
        words = f"http://127.0.0.1:{fast}/hook http://127.0.0.1:{slow}/hook {WEBHOOKS} {EVENTS}"
        business = json.loads(inside(stack, SET_UP, words))
        stack.start()
        quiet, greedy = Quiet(stack, business["quiet"]), Greedy(stack, business["greedy"])
        quiet.measure(3)
        alone = quiet.measure(options.seconds)
        print("alone          " + ", ".join(f"{name} {took:.0f} ms" for name, took in alone.items()), flush=True)
        worst = 0.0
        ways = {name: getattr(greedy, name) for name in ("slow_webhooks", "imports", "replay", "mails", "guesses")}
        tried = {**{name: [way] for name, way in ways.items()}, "all of it": list(ways.values())}
        for name, each in tried.items():
            if options.only is not None and name not in options.only:
                continue
            with ExitStack() as doing:
                for way in each:
                    doing.enter_context(way())
                time.sleep(2)
                beside = quiet.measure(options.seconds)
            ratios = {what: beside[what] / alone[what] for what in alone}
            worst = max(worst, *ratios.values())
            words = ", ".join(f"{what} {beside[what]:.0f} ms x {ratio:.2f}" for what, ratio in ratios.items())
            print(f"{name:14} {words}", flush=True)
    assert worst <= TIMES_WANTED, f"x {worst:.2f}: over {TIMES_WANTED}"


if __name__ == "__main__":
    main()
