"""Leads: identity, consent, limits, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from conversations.models import Conversation, Message
from conversations.services.replies import Author
from leads.consent import lift_opt_out, opt_out
from leads.models import Lead, OptOut
from leads.services import Details, identify_by_channel
from tests.support.due import run_jobs
from tests.support.people import person

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_a_phone_finds_the_lead_last_active_not_the_first(plumbing, lead_at):
    lead_at(plumbing, "a@example.net", phone="+14155550101")
    lead_at(plumbing, "b@example.net", phone="+14155550101")
    first, _ = Lead.objects.order_by("id")
    Lead.objects.filter(pk=first.pk).update(last_message_at=timezone.now() + timedelta(hours=1))
    assert identify_by_channel(source=plumbing, details=Details(phone="+14155550101")).lead == first


def test_a_block_by_a_person_is_audited_and_so_is_its_end(plumbing, lead_at, actor):
    lead = lead_at(plumbing)
    opt_out(lead=lead, channel="email", reason=OptOut.Reason.PERSON, actor=actor)
    lift_opt_out(lead=lead, channel="email", actor=actor)
    assert opt_out(lead=lead, channel="email", reason=OptOut.Reason.PERSON, actor=actor) is not None
    told = AuditEntry.objects.filter(action__startswith="lead.").order_by("id").values_list("action", flat=True)
    assert list(told) == ["lead.block", "lead.unblock", "lead.block"]


def test_the_same_form_at_two_sources_is_two_messages(client, plumbing, eastgate):
    for source in (plumbing, eastgate):
        client.post(
            f"/forms/{source.public_id}",
            "name=Ava&message=Hello&_nonce=n-1",
            content_type="application/x-www-form-urlencoded",
        )
    assert Message.objects.count() == 2


def test_only_who_may_answer_here_is_mailed(northside, plumbing, eastgate, westgate, lead_at, dana, mailoutbox):
    from conversations.services.notifications import notify_team

    person("vic", northside, "viewer")
    person("wes", northside, "agent", westgate)
    gone = person("gus", northside, "agent")
    gone.is_active = False
    gone.save()
    person("eli", northside, "agent", eastgate)
    lead_at(eastgate)
    notify_team(Conversation.objects.get())
    run_jobs()
    assert {mail.to[0] for mail in mailoutbox} == {"dana@example.com", "eli@example.com"}


def test_an_auto_reply_is_not_queued_to_who_opted_out_or_has_no_address(api, token, plumbing, lead_at):
    opt_out(lead=lead_at(plumbing), channel="email", reason=OptOut.Reason.PERSON)
    assert api.create_lead(token, notifications=["auto-reply"]).status_code == 201
    unknown = {"identifier_type": "unique_id", "unique_id": "A1", "email": ""}
    assert api.create_lead(token, notifications=["auto-reply"], **unknown).status_code == 201
    assert not Message.objects.filter(direction="outbound").exists()


def test_an_auto_reply_without_a_mail_channel_is_refused(api, token, plumbing):
    plumbing.connections.filter(kind="email").update(disconnected_at=timezone.now())
    answer = api.create_lead(token, notifications=["auto-reply"])
    assert (answer.status_code, answer.json()["code"]) == (422, "notification.unavailable")


def test_filling_does_not_conflict_with_another_leads_identifier_that_is_not_taken(api, token, plumbing):
    api.create_lead(token, email="first@example.net", unique_id="A1")
    api.create_lead(token, email="second@example.net", unique_id="B2")
    assert api.create_lead(token, email="second@example.net", unique_id="A1").json()["created"] is False


def test_a_lead_has_at_most_100_tags(api, token, plumbing):
    first = ",".join(f"a{number}" for number in range(60))
    second = ",".join(f"b{number}" for number in range(60))
    assert api.create_lead(token, tags=first.split(",")).status_code == 201
    answer = api.create_lead(token, tags=second.split(","))
    assert (answer.status_code, answer.json()["code"]) == (422, "lead.tooLarge")


@pytest.mark.parametrize(
    ("details", "index"),
    [
        (Details(email="ava@example.net"), "lead_email_unique_in_source"),
        (Details(phone="+14155550101"), "lead_by_phone"),
    ],
)
def test_a_lead_is_found_by_an_index_made_for_it(plumbing, details, index):
    """The conditions of a partial index must be in the query, or every arrival reads all leads of its source."""
    many = (Lead(organization_id=plumbing.organization_id, source=plumbing, email=f"{n}@example.net", phone=f"+{n}")
            for n in range(2_000))  # fmt: skip
    Lead.objects.bulk_create(many)
    with CaptureQueriesContext(connection) as seen:
        identify_by_channel(source=plumbing, details=details)
    look_up = next(row["sql"] for row in seen if row["sql"].startswith("SELECT") and "FOR NO KEY UPDATE" in row["sql"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_lead")
        cursor.execute(f"EXPLAIN {look_up}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert index in plan
