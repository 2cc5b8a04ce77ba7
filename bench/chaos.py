"""The chaos run: workers killed, stopped and ended all the time, connections broken, broker and database restarted.

    python -m bench.chaos [--messages 20000] [--outage 60] [--runs 1]

Four workers of the outbox and one for jobs, the web and a listener for mails; one message in ten comes by mail. Every
half to two seconds a worker is killed (SIGKILL), stopped and continued (SIGSTOP, SIGCONT; a fifth of them for longer
than a lease) or asked to end (SIGTERM), the web or the endpoint is stopped and continued, or two connections to the
database are broken. The broker is restarted three times, wiped once and away for a minute; PostgreSQL is restarted
twice. Ends in a line `lost N, duplicates N, kills N, events N`. Fails when something was lost, when nothing was killed,
when a copy came that no kill or stop in the moment of sending explains, when a process did not end that was asked to,
or when it was not drained 120 s after the last fault.
"""

from __future__ import annotations

import argparse
import json
import smtplib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from bench.crash_stack import SET_UP, open_rows, post
from bench.faults import DATABASE_RESTARTED, Faults
from bench.place import inside, servers
from bench.witness import Witness
from supervisor.postgres import Postgres
from supervisor.stack import CELERY, WORKER, Stack
from supervisor.valkey import Valkey

WORKERS = 4
CALLERS = 8
DRAINED_SECONDS = 120
TIME_SCALE = "0.2"
LEASE_SECONDS = 30 * float(TIME_SCALE)
MAIL_EVERY = 10  # messages
GIVES_UP_SECONDS = 300
MAIL_ADDRESS = "from messaging.models import ChannelConnection as C; print(C.objects.get(local_part__gt='').address)"


def start(stack: Stack) -> None:
    for number in range(WORKERS):
        words = ["-n", f"outbox{number}@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"]
        stack._run(f"worker-{number}", [*WORKER, *words], LEADWIRE_DELIVER_SLOTS="50")
    stack._run("jobs", [*WORKER, "-n", "jobs@%h", "-Q", "jobs,mail,imports", "-c", "1"])
    stack._run("beat", [*CELERY, "beat", "--loglevel=critical", "-s", stack.folder / "beat", "--pidfile="])
    stack.start_mail()
    stack.start_web()


def names() -> list[str]:
    return [*(f"worker-{number}" for number in range(WORKERS)), "jobs"]


def disturb(
    stack: Stack, postgres: Postgres, valkey: Valkey, faults: Faults, until: threading.Event, outage: int
) -> None:
    """The faults of servers, one after the other, while workers die beside them."""
    plan = [
        ("broker restarted", lambda: restart(valkey)),
        (DATABASE_RESTARTED, lambda: restart(postgres)),
        ("broker restarted", lambda: restart(valkey)),
        ("broker wiped", lambda: wipe(valkey)),
        ("broker away", lambda: away(stack, valkey, outage)),
        ("broker restarted", lambda: restart(valkey)),
        (DATABASE_RESTARTED, lambda: restart(postgres)),
    ]
    for words, fault in plan:
        keep_alive(stack, 4)
        print(f"  {words} (so far {faults.counts()})", flush=True)
        began_at = time.time()
        fault()
        faults.note(words, began_at)
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


def send(stack: Stack, token: str, address: str, number: int) -> None:
    """Hand one message in, again until it is acknowledged: by mail, or to the API."""
    if number % MAIL_EVERY:
        post(stack, token, number, seconds=GIVES_UP_SECONDS)
    else:
        mail(stack.mail_port, address, number)


def mail(port: int, address: str, number: int) -> None:
    """Hand in a mail as a mail server does: again, with the same Message-ID, until it is taken."""
    sender = f"bo{number}@example.net"
    text = f"From: {sender}\r\nMessage-ID: <{number}@example.net>\r\nSubject: Tap\r\n\r\nIt leaks.\r\n"
    deadline = time.monotonic() + GIVES_UP_SECONDS
    while True:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
                client.sendmail(sender, address, text)
                return
        except (smtplib.SMTPException, OSError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"mail {number} was never taken: {error}") from error
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--outage", type=int, default=60, help="seconds without a broker")
    parser.add_argument("--runs", type=int, default=1, help="how often, each on servers of its own")
    options = parser.parse_args()
    sys.exit(sum(run_once(options.messages, options.outage) for _ in range(options.runs)))


def run_once(messages: int, outage: int) -> int:
    """Return 0 when everything arrived as it should, else 1."""
    witness = Witness(delay=0.01).start()
    with servers() as (running, plain):
        stack = Stack(plain.folder, {**plain.env, "LEADWIRE_TIME_SCALE": TIME_SCALE})
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "CRITICAL"}
        try:
            postgres, valkey = running.running
            assert isinstance(postgres, Postgres)
            assert isinstance(valkey, Valkey)
            return run(stack, witness, postgres, valkey, messages, outage)
        finally:
            stack.stop()


def run(stack: Stack, witness: Witness, postgres: Postgres, valkey: Valkey, messages: int, outage: int) -> int:
    business = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))
    address = inside(stack, MAIL_ADDRESS)
    start(stack)
    faults, sent = Faults(stack, names(), ["web", "receive-mail"], LEASE_SECONDS), threading.Event()

    def send_all() -> None:
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(lambda number: send(stack, business["token"], address, number), range(messages)))
        sent.set()

    sender = threading.Thread(target=send_all, daemon=True)
    faults.start()
    sender.start()
    disturb(stack, postgres, valkey, faults, sent, outage)
    assert faults.is_alive(), "the faults ended by themselves"
    faults.stopping.set()
    faults.join()
    last_fault = time.monotonic()
    while open_rows(stack) and time.monotonic() - last_fault < DRAINED_SECONDS:
        keep_alive(stack, 0.5)
    print(f"drained {time.monotonic() - last_fault:.0f} s after the last fault")
    return judge(witness, faults, messages, is_drained=not open_rows(stack))


def judge(witness: Witness, faults: Faults, messages: int, *, is_drained: bool) -> int:
    """Print what came of it. Return 0 when it is good, else 1."""
    lost, unexplained = messages - len(witness.delivered()), faults.unexplained(witness)
    counts = faults.counts()
    print(", ".join(f"{kind} {count}" for kind, count in counts.items()))
    for story in unexplained:
        print(f"  not explained: {story}")
    for name in faults.overdue():
        print(f"  did not end when it was asked to: {name}")
    kills = counts.get("killed", 0)
    print(f"lost {lost}, duplicates {witness.duplicates()}, kills {kills}, events {messages}", flush=True)
    return int(bool(lost or unexplained or faults.overdue() or not kills or not is_drained))


if __name__ == "__main__":
    main()
