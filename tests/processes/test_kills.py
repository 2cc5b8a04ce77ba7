"""Killed workers, a wiped, refused or stalled broker, a restarted database: nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.postgres import NOBODY, has_user_namespaces
from supervisor.stack import WEB_WORKERS
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

STALL_SECONDS = int(os.environ.get("LEADWIRE_STALL_SECONDS", "8"))  # the full run: 60
EVENTS = 200
LEASE_SECONDS = 30


def test_a_killed_worker_and_a_wiped_broker_lose_nothing(place, running, receiver):
    lead = place.create_lead("kill@example.net")[1]["uid"]
    receiver.wait(1)
    stack = running.stack

    def arrivals() -> None:
        for number in range(EVENTS):
            assert (
                place.form(name="Ava", email="kill@example.net", message=f"Arrival {number}", _nonce=f"k{number}")[0]
                == 201
            )

    def replies() -> None:
        for number in range(EVENTS):
            assert place.reply(lead, f"Reply {number}")[0] == 201

    threads = [threading.Thread(target=arrivals), threading.Thread(target=replies)]
    place.sql("UPDATE api_ratelimitwindow SET minute_count = 0, hour_count = 0 RETURNING 1")
    inside_limit = threading.Thread(target=_lift_the_forms_limit, args=(place, threads))
    for thread in [*threads, inside_limit]:
        thread.start()
    kills = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(1.5)
        os.killpg(stack.child("worker").process.pid, signal.SIGKILL)
        kills += 1
        if kills == 2:
            running.valkey.stop()
            running.valkey.start()
        stack.restart("worker")
    for thread in threads:
        thread.join()
    assert kills >= 2
    wait_until(
        lambda: len({mail["Message-ID"] for mail in place.mails("kill@example.net")}) >= EVENTS, LEASE_SECONDS * 3
    )
    wanted = {f"Arrival {number}" for number in range(EVENTS)}
    wait_until(lambda: wanted <= {_said(body) for body in receiver.bodies()}, LEASE_SECONDS * 3)
    _assert_duplicates_carry_the_same_id(receiver)
    mails = Counter(mail["Message-ID"] for mail in place.mails("kill@example.net"))
    # A mail is doubled only when the kill fell between the server's acceptance and its record: few, never many.
    assert sum(count - 1 for count in mails.values()) <= kills * 4
    wait_until(lambda: place.sql("SELECT count(*) FROM messaging_dispatch") == [(0,)], LEASE_SECONDS * 2)


def _said(body: dict) -> str:
    message = body["data"].get("message")
    return message["content"] if message else ""


def _lift_the_forms_limit(place, threads) -> None:
    """The form's own throttle is not what this is about."""
    while any(thread.is_alive() for thread in threads):
        place.sql("UPDATE api_ratelimitwindow SET minute_count = 0, hour_count = 0 RETURNING 1")
        time.sleep(0.05)


def _assert_duplicates_carry_the_same_id(receiver) -> None:
    ids: dict[str, set[str]] = {}
    for request, body in zip(receiver.requests, receiver.bodies(), strict=True):
        ids.setdefault(_said(body), set()).add(request["headers"]["webhook-id"])
    assert {words: found for words, found in ids.items() if len(found) > 1} == {}


@pytest.mark.parametrize("fault", ["refused", "stalled"])
def test_without_the_broker_intake_goes_on_and_deliveries_start_within_3_s(place, running, receiver, fault):
    lead = place.create_lead(f"{fault}@example.net")[1]["uid"]
    receiver.wait(1)
    valkey = running.valkey
    assert valkey.child is not None
    if fault == "refused":
        valkey.stop()
    else:
        os.kill(valkey.child.process.pid, signal.SIGSTOP)
    try:
        deadline, number, late = time.monotonic() + STALL_SECONDS, 0, []
        while time.monotonic() < deadline:
            number += 1
            started = time.monotonic()
            status, body = place.create_lead(f"{fault}@example.net", request_title=f"During {number}")
            assert status == 201, body
            assert place.reply(lead, f"Answer {number}")[0] == 201
            receiver.wait(number + 1, 3)
            late.append(time.monotonic() - started)
            time.sleep(0.2)
        assert max(late) < 3, late
    finally:
        if fault == "refused":
            valkey.start()
        else:
            os.kill(valkey.child.process.pid, signal.SIGCONT)
    wait_until(lambda: len(place.mails(f"{fault}@example.net")) >= number, 15)


def test_a_restarted_database_is_503_with_retry_after_and_loses_nothing_that_was_acknowledged(place, running):
    place.create_lead("before@example.net")
    statuses: Counter[int] = Counter()
    taken, problems, stop = [], [], threading.Event()

    def load(worker: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            email = f"load-{worker}-{number}@example.net"
            try:
                status, body = place.create_lead(email)
            except OSError as error:
                problems.append(repr(error))
                continue
            statuses[status] += 1
            if status == 201:
                taken.append(email)
            elif status != 503 or body.get("code") != "service.unavailable":
                problems.append(f"{status} {body}")

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    running.postgres.stop()
    time.sleep(1)
    running.postgres.start()
    time.sleep(4)
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert set(statuses) <= {201, 503}
    assert statuses[201] > 10
    emails = {email for (email,) in place.sql("SELECT email FROM leads_lead WHERE email LIKE 'load-%'")}
    assert set(taken) <= emails


def test_a_lock_wait_past_its_timeout_is_503(place, running):
    import psycopg

    lead = place.create_lead("locked@example.net")[1]["uid"]
    with psycopg.connect(running.stack.env["DATABASE_URL"]) as holder:
        holder.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
        status, body = place.reply(lead, "I wait")
    assert (status, body["code"]) == (503, "service.unavailable")
    assert place.reply(lead, "Now it goes")[0] == 201


def test_what_a_full_disk_raises_is_503(place):
    """On every machine: SQLSTATE 53100, raised by a trigger where a lead is written."""
    place.sql(
        """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.email = 'full@example.net' THEN
             RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON leads_lead FOR EACH ROW EXECUTE FUNCTION full_disk();
        SELECT 1"""
    )
    status, body = place.create_lead("full@example.net")
    assert (status, body["code"]) == (503, "service.unavailable")
    assert place.create_lead("room@example.net")[0] == 201
    place.sql("DROP TRIGGER full_disk ON leads_lead; SELECT 1")


@pytest.fixture
def small_disk(place, tmp_path) -> Iterator[Path]:
    """A file system of 8 MB, which has the leads' table. Only root may mount one that PostgreSQL sees too."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk that is really full (only root may mount one, where the machine lets it)")
    try:
        inside = folder / "postgres"
        inside.mkdir(mode=0o700)
        if not has_user_namespaces():
            os.chown(inside, NOBODY, NOBODY)
        place.sql(f"CREATE TABLESPACE small LOCATION '{inside}'")
        place.sql("ALTER TABLE leads_lead SET TABLESPACE small")
        yield folder
        place.sql("ALTER TABLE leads_lead SET TABLESPACE pg_default")
        place.sql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_503_and_nothing_acknowledged_is_lost(place, small_disk):
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(64 * 1024)):
            pass
    answers = {email: place.create_lead(email) for email in (f"full{number}@example.net" for number in range(300))}
    refused = {email: body for email, (status, body) in answers.items() if status != 201}
    assert refused
    assert {body["code"] for body in refused.values()} == {"service.unavailable"}
    (small_disk / "filler").unlink()
    assert all(place.create_lead(email)[0] == 201 for email in refused)
    assert place.sql("SELECT count(*) FROM leads_lead WHERE email LIKE 'full%@example.net'") == [(300,)]


def children_of(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_web_process_that_dies_is_started_again(place, running):
    """The whole web once ended with it, and everybody waited until it had been started again."""
    web = running.stack.child("web")
    before = children_of(web.process.pid)
    assert len(before) == WEB_WORKERS
    os.kill(min(before), signal.SIGKILL)

    def is_replaced() -> bool:
        now = children_of(web.process.pid)
        return len(now) == WEB_WORKERS and min(before) not in now

    wait_until(is_replaced, 30)
    assert web.is_running
    running.stack._wait_for_the_web()
    for number in range(20):
        assert place.create_lead(f"again{number}@example.net")[0] == 201


def test_no_deadlock_was_seen_in_all_of_this(place):
    assert place.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
