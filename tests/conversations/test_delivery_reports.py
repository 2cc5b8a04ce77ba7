"""Mails about our mails: what came back, what arrived, who complained."""

from __future__ import annotations

import pytest

from conversations.models import Message
from conversations.services.states import BEFORE, advance
from leads.models import Lead, OptOut
from tests.support.mails import report
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(key_of, eastgate) -> str:
    return key_of(eastgate)


@pytest.fixture
def sent(api, key, eastgate, lead_at) -> Message:
    """A mail of ours to ava@example.net that its server has taken."""
    lead_at(eastgate, "ava@example.net")
    api.reply(key, Lead.objects.get())
    Message.objects.filter(direction="outbound").update(status="sent")
    return Message.objects.get(direction="outbound")


def complaint(public_id: str) -> bytes:
    """Spam, says the reader (RFC 5965)."""
    return f"""From: abuse@mailbox.example
Message-ID: <complaint@mailbox.example>
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: <ava@example.net>
--b
Content-Type: message/rfc822

Message-ID: <{public_id}@mail.localhost>
Subject: Re: Leaking tap

We come at four.
--b--
""".encode()


def test_an_address_that_does_not_exist_gets_no_more_mail(receive, address_of, eastgate, sent, api, key):
    receive(address_of(eastgate), report(sent.public_id, "failed"))
    sent.refresh_from_db()
    assert (sent.status, sent.error_code, sent.error_detail) == ("failed", "channel.bounced", "5.1.1 550 user unknown")
    assert OptOut.objects.in_force().get().reason == "bounce"
    refused = api.reply(key, sent.lead)
    assert (refused.status_code, refused.json()["code"]) == (409, "lead.optedOut")
    told = Event.objects.filter(type__in=["message.bounced", "lead.opted_out"]).order_by("id")
    assert [event.type for event in told] == ["message.bounced", "lead.opted_out"]


def test_a_full_mailbox_is_no_reason_to_stop(receive, address_of, eastgate, sent):
    full = report(sent.public_id, "failed").replace(b"5.1.1", b"5.2.2").replace(b"user unknown", b"mailbox is full")
    receive(address_of(eastgate), full)
    sent.refresh_from_db()
    assert sent.status == "failed"
    assert not OptOut.objects.exists()


def test_another_address_that_does_not_exist_does_not_block_the_lead(receive, address_of, eastgate, sent):
    """The lead forwards its mail, and the place it forwards to is gone."""
    forwarded = report(sent.public_id, "failed").replace(b"rfc822; ava@example.net", b"rfc822; ava@old-job.example")
    receive(address_of(eastgate), forwarded)
    sent.refresh_from_db()
    assert sent.status == "failed"
    assert not OptOut.objects.exists()


def test_a_delay_changes_nothing_and_an_arrival_is_delivered(receive, address_of, eastgate, sent):
    receive(address_of(eastgate), report(sent.public_id, "delayed"))
    sent.refresh_from_db()
    assert sent.status == "sent"
    receive(address_of(eastgate), report(sent.public_id, "delivered"))
    sent.refresh_from_db()
    assert sent.status == "delivered"
    assert sent.delivered_at is not None
    assert Event.objects.filter(type="message.delivered").count() == 1
    receive(address_of(eastgate), report(sent.public_id, "failed"))
    sent.refresh_from_db()
    assert sent.status == "failed", "a late refusal counts"


def test_a_complaint_blocks_the_address_and_leaves_the_message(receive, address_of, eastgate, sent):
    for _ in range(2):
        assert receive(address_of(eastgate), complaint(sent.public_id)).outcome in ("automatic", "repeated")
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert OptOut.objects.in_force().get().reason == "complaint"
    assert Event.objects.filter(type="lead.opted_out").count() == 1


@pytest.mark.parametrize(
    "write", [complaint, lambda public_id: report(public_id, "failed")], ids=["complaint", "bounce"]
)
def test_a_report_that_names_none_of_our_messages_changes_nothing(receive, address_of, eastgate, westgate, sent, write):
    """Anybody can write one: only the id, which nobody else knows, counts, and only where the message was sent from."""
    receive(address_of(eastgate), write("msg_" + "0" * 26))
    receive(address_of(westgate), write(sent.public_id))
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert not OptOut.objects.exists()


def test_each_step_is_kept_and_shown_with_the_servers_words(receive, address_of, eastgate, sent, dana_client):
    for action in ("delayed", "delivered", "failed"):
        receive(address_of(eastgate), report(sent.public_id, action))
    receive(address_of(eastgate), complaint(sent.public_id))
    steps = [(change.step, change.reason) for change in sent.status_changes.all()]
    words = "5.1.1 550 user unknown"
    assert steps == [("delayed", words), ("delivered", ""), ("failed", words), ("complaint", "")]
    page = dana_client.get(f"/inbox/{sent.conversation.public_id}/").content.decode()
    assert "Delivery history" in page
    assert "Reported as spam" in page


@pytest.mark.parametrize("first", Message.Status.values)
@pytest.mark.parametrize("to", BEFORE)
def test_states_only_move_forward(sent, first, to):
    Message.objects.filter(pk=sent.pk).update(status=first)
    moved = advance(sent, to, detail="because")
    sent.refresh_from_db()
    assert moved is (first in BEFORE[to])
    assert sent.status == (to if moved else first)
    assert sent.status_changes.count() == moved
