"""What the outbox promises when something fails at the worst moment. Each of these was once broken on purpose, and no
other test saw it."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from conversations.models import Message
from conversations.services import sending
from conversations.services.replies import Author, Reply, send_reply
from conversations.webhook_bodies import render_bodies
from core.ids import uuid7
from messaging.models import Dispatch
from outbox import jobs
from outbox.claims import Claimed
from outbox.models import Job
from outbox.streams import StreamThread
from tests.support.due import make_due
from tests.support.steps import outbox, slots
from tests.support.waiting import wait_for
from webhooks import sequencer
from webhooks.delivery.claims import claim_deliveries
from webhooks.delivery.stream import Deliveries
from webhooks.models import Attempt, Delivery, Event, Replay
from webhooks.services import replays
from webhooks.services.replays import start_replay

pytestmark = pytest.mark.django_db(transaction=True)
URL = "http://127.0.0.1:9/hook"


def test_one_sequencer_numbers_at_a_time(eastgate, lead_at):
    lead_at(eastgate)
    parameters = connection.get_connection_params()
    plain = {name: parameters[name] for name in ("host", "port", "user", "password", "dbname") if name in parameters}
    with psycopg.connect(**plain) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [sequencer._LOCK])
        assert sequencer.number_events() == 0
    assert sequencer.number_events() == 1


def test_a_job_is_not_over_before_it_was_run(northside):
    """The process is gone in the middle of it: what it had begun is there for the next one."""
    job = Job.objects.create(organization_id=northside.pk, category="import", subject_id=uuid7())

    class Killed(BaseException):
        pass

    def die(_):
        raise Killed

    with pytest.raises(Killed):
        jobs.run_due({"import": die})
    job.refresh_from_db()
    assert job.is_unfinished
    assert job.next_attempt_at
    Job.objects.update(next_attempt_at=Now())
    assert jobs.run_due({"import": lambda _: None})


def test_a_worker_that_is_asked_to_end_finishes_what_is_in_flight(receiver, webhook_at, eastgate, lead_at):
    webhook_at(eastgate, receiver.url)
    may_answer = threading.Event()

    def late(handler) -> None:
        may_answer.wait(10)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answers = [late]
    lead_at(eastgate)
    thread = StreamThread(lambda: Deliveries(4, render_bodies))
    thread.start()
    receiver.wait(1)
    thread.ask_to_stop()
    thread.join(0.5)
    assert thread.is_alive()
    may_answer.set()
    thread.join(10)
    assert not thread.is_alive()
    assert Attempt.objects.get().outcome == "delivered"
    assert not Delivery.objects.exists()


def test_a_row_that_somebody_holds_is_stepped_over(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    lead_at(eastgate, "bob@example.net")
    with transaction.atomic():
        held = Delivery.objects.select_for_update().order_by("next_attempt_at")[0]
        [claimed] = outbox(lambda c: claim_deliveries(c, slots(5)))
    assert claimed.id != held.pk


def test_a_replay_keeps_its_place_together_with_its_rows(webhook_at, eastgate, lead_at, actor, monkeypatch):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    Delivery.objects.all().delete()
    since = Event.objects.get().happened_at - timedelta(hours=1)
    job = start_replay(endpoint=eastgate.restwebhook, actor=actor, since=since, only_undelivered=False)

    def full(rows):
        raise OperationalError("the disk is full")

    monkeypatch.setattr(Delivery.objects, "bulk_create", full)
    with pytest.raises(OperationalError):
        replays.run_replay(job.subject_id)
    assert Replay.objects.get().cursor is None
    monkeypatch.undo()
    replays.run_replay(job.subject_id)
    assert Delivery.objects.count() == 1


def test_what_was_sent_is_recorded_when_the_database_is_back(eastgate, lead_at, mailoutbox, monkeypatch):
    monkeypatch.setattr(sending, "RECORD_AGAIN_SECONDS", 0)
    send_reply(lead_id=lead_at(eastgate).pk, reply=Reply("Hello"), author=Author("staff", "Dana"))
    Dispatch.objects.update(claim=uuid4(), attempts=1)
    row = Dispatch.objects.get()
    values = {name: getattr(row, name) for name in Claimed.__dataclass_fields__ if name != "claimed_at"}
    write, away = sending._write_sent, [OperationalError("away"), OperationalError("still away")]

    def sometimes(*words):
        if away:
            raise away.pop()
        write(*words)

    monkeypatch.setattr(sending, "_write_sent", sometimes)
    sending.send_claimed(Claimed(**values, claimed_at=row.created_at))
    assert Message.objects.get(direction="outbound").status == "sent"
    assert not Dispatch.objects.exists()
    assert len(mailoutbox) == 1


def test_a_retry_sends_the_bytes_of_the_first_attempt_whatever_came_since(
    worker, receiver, webhook_at, eastgate, lead_at
):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    receiver.wait(1)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    Message.objects.update(content="Changed since")
    make_due()
    first, second = receiver.wait(2)
    assert first["body"] == second["body"]
