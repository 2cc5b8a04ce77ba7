"""Letters to the team: one for each, once, whatever the mailboxes of the others do."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.models import Letter, Membership
from accounts.services.members import remove
from conversations.models import Conversation
from conversations.services.erasing import erase_lead
from conversations.services.notifications import notify_team, write_to_team
from core.ids import uuid7
from outbox import hints, jobs, tasks
from outbox.job_kinds import JobKind
from outbox.models import Job
from tests.support.due import handlers, run_jobs
from tests.support.people import person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(northside, plumbing, dana, lead_at):
    """Three of the team who are to hear of a lead."""
    person("ann", northside, "agent")
    person("max", northside, "manager")
    lead_at(plumbing)
    return Conversation.objects.get()


def test_one_bad_mailbox_brings_the_others_nothing_twice(told, mail_server):
    mail_server.refusals = ["550 5.1.1 no such user"]
    notify_team(told)
    run_jobs()
    Job.objects.filter(status="scheduled").update(next_attempt_at=Now())
    run_jobs()
    assert len({mail["To"] for mail in mail_server.mails}) == len(mail_server.mails) == 2
    assert set(Job.objects.values_list("status", flat=True)) == {"done"}, "refused for good is not tried again"


def test_a_mailbox_that_is_busy_gets_it_later(told, mail_server):
    mail_server.refusals = ["451 4.3.0 later"]
    notify_team(told)
    run_jobs()
    assert len(mail_server.mails) == 2
    Job.objects.filter(status="scheduled").update(next_attempt_at=Now())
    run_jobs()
    assert len({mail["To"] for mail in mail_server.mails}) == len(mail_server.mails) == 3


def test_a_job_that_is_done_twice_writes_once(told, mail_server):
    for _ in range(2):  # as if its worker had been killed after the letters and before the end
        write_to_team(told.pk)
    run_jobs()
    assert len(mail_server.mails) == 3
    Job.objects.filter(category="letter").update(status="scheduled", next_attempt_at=Now(), attempts=0)
    run_jobs()
    assert len(mail_server.mails) == 3
    assert Letter.objects.filter(sent_at=None).count() == 0


def test_a_letter_keeps_nothing_of_the_lead_and_says_nothing_of_an_erased_one(told, mail_server, actor):
    notify_team(told)
    write_to_team(told.pk)
    erase_lead(lead=told.lead, actor=actor)
    run_jobs()
    assert mail_server.mails == []


def test_an_invitation_that_was_taken_back_is_not_sent(dana_client, actor, mail_server):
    dana_client.post("/settings/members/", {"email": "vera@x.example", "role": "viewer"})
    remove(membership=Membership.objects.get(user__email="vera@x.example"), actor=actor)
    run_jobs()
    assert mail_server.mails == []


def make_imports(organization_id, count: int) -> None:
    for _ in range(count):
        Job.objects.create(organization_id=organization_id, category="import", subject_id=uuid7())


def test_imports_of_one_organization_stand_in_line(northside, harbor):
    make_imports(northside.pk, 3)
    make_imports(harbor.pk, 1)
    ran: list[object] = []

    def run(subject_id):
        ran.append(Job.objects.get(subject_id=subject_id).organization_id)
        if len(ran) == 1:  # while the first one runs: only the other organization's is free
            assert jobs.run_due({"import": run}, one_each=True)
            assert not jobs.run_due({"import": run}, one_each=True)

    while jobs.run_due({"import": run}, one_each=True):
        pass
    assert ran == [northside.pk, harbor.pk, northside.pk, northside.pk]


def test_an_import_that_waits_for_another_try_lets_the_next_one_pass(northside):
    make_imports(northside.pk, 2)
    first = Job.objects.order_by("id")[0]
    Job.objects.filter(pk=first.pk).update(next_attempt_at=Now() + timedelta(hours=1))
    assert jobs.run_due({"import": lambda _: None}, one_each=True)
    first.refresh_from_db()
    assert first.status == "scheduled"


def test_a_queue_runs_its_own_jobs_alone(northside):
    make_imports(northside.pk, 1)
    assert not jobs.run_due(handlers("jobs"))
    assert not jobs.run_due(handlers("mail"))


def test_a_long_job_keeps_its_lease(northside, monkeypatch):
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(jobs, "RENEWED_EVERY", timedelta(seconds=0.1))
    make_imports(northside.pk, 1)
    runs: list[str] = []

    def long(_):
        runs.append("begun")
        time.sleep(1.5)

    other = threading.Timer(1.0, lambda: runs.append("again") if jobs.run_due({"import": long}) else None)
    other.start()
    jobs.run_due({"import": long})
    other.join()
    assert runs == ["begun"]


def test_organizations_have_their_jobs_done_in_turns(northside, harbor):
    for organization in (northside, northside, northside, harbor, harbor):
        Job.objects.create(organization_id=organization.pk, category="read-mail", subject_id=uuid7())
    ran: list[object] = []
    handlers = {"read-mail": lambda subject: ran.append(Job.objects.get(subject_id=subject).organization_id)}
    while jobs.run_due(handlers):
        pass
    assert ran[:4] in ([northside.pk, harbor.pk] * 2, [harbor.pk, northside.pk] * 2)


def test_a_claim_takes_no_longer_when_many_jobs_wait(northside):
    """A flood of mails: the job is read from the index in the order of turns, not chosen from all that are due."""
    Job.objects.bulk_create(
        Job(organization_id=northside.pk, category="read-mail", subject_id=uuid7()) for _ in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbox_job")
        with CaptureQueriesContext(connection) as seen:
            assert jobs.run_due({"read-mail": lambda _: None})
        claim = next(query["sql"] for query in seen if query["sql"].lstrip().startswith("UPDATE"))
        cursor.execute(f"EXPLAIN {claim}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "job_in_turns" in plan


def test_a_worker_may_end_between_two_jobs(northside, monkeypatch):
    """A flood kept one task running until it was over, and a worker that was asked to end was killed after 45 s."""
    told: list[str] = []
    monkeypatch.setattr(tasks, "TURN_SECONDS", 0)
    monkeypatch.setattr(hints, "send", told.append)
    monkeypatch.setattr(tasks, "kinds_of", lambda queue: {"import": JobKind(lambda _: None)})
    make_imports(northside.pk, 3)
    tasks.run_due_jobs("imports")
    assert Job.objects.filter(status="done").count() == 1
    assert told == ["imports"]
