"""Whose words a mail carries, and what it may set off."""

from __future__ import annotations

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.services.mail import LOOP_ANSWERS, LOOP_REPEATS
from conversations.services.replies import Author, Reply, send_reply
from leads.consent import opt_out
from leads.models import Lead, OptOut
from messaging.email.incoming import UnknownAddress, find_connection
from sources.services import archive_source
from tests.support.mails import mail, message_of, reply_address, report
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_only_addresses_in_use_take_mail(eastgate, address_of, actor, lead_at):
    lead_at(eastgate)
    address = address_of(eastgate).address
    local = address.partition("@")[0]
    token = reply_address(Conversation.objects.get())
    assert find_connection(address) == find_connection(token) == address_of(eastgate)
    with pytest.raises(UnknownAddress):
        find_connection(f"{local}@elsewhere.example")
    eastgate.connections.update(disconnected_at=timezone.now())
    for one in (address, token):
        with pytest.raises(UnknownAddress):
            find_connection(one)
    eastgate.connections.update(disconnected_at=None)
    archive_source(source=eastgate, actor=actor)
    for one in (address, token):
        with pytest.raises(UnknownAddress):
            find_connection(one)


def test_a_token_counts_only_at_its_own_source(receive, eastgate, westgate, address_of, lead_at):
    lead_at(westgate)
    inbound = receive(address_of(eastgate), mail(), to=reply_address(Conversation.objects.get()))
    assert message_of(inbound).lead.source_id == eastgate.pk


def test_a_stop_of_somebody_else_in_the_thread_blocks_nobody(receive, eastgate, address_of, lead_at):
    lead_at(eastgate)
    receive(
        address_of(eastgate), mail("STOP", sender="Tom <tom@example.net>"), to=reply_address(Conversation.objects.get())
    )
    assert not OptOut.objects.exists()


def test_start_lifts_no_block_of_a_person(receive, eastgate, address_of, lead_at):
    opt_out(lead=lead_at(eastgate), channel="email", reason=OptOut.Reason.PERSON)
    receive(address_of(eastgate), mail("start"))
    assert OptOut.objects.in_force().exists()


def test_a_stop_is_told(receive, eastgate, address_of):
    receive(address_of(eastgate), mail("STOP"))
    assert Event.objects.filter(type="lead.opted_out").count() == 1


def test_a_mail_from_our_own_domain_makes_no_lead(receive, eastgate, westgate, address_of):
    inbound = receive(address_of(eastgate), mail(sender=f"West <{address_of(westgate).address}>"))
    assert inbound.outcome == "automatic"
    assert not Lead.objects.exists()


def test_a_bounce_before_the_record_waits_and_one_of_another_source_is_nothing(
    receive,
    eastgate,
    westgate,
    address_of,
    lead_at,
):
    from conversations.services.delivery_reports import StillSending

    message = send_reply(lead_id=lead_at(eastgate).pk, reply=Reply("Hello"), author=STAFF)
    Message.objects.filter(pk=message.pk).update(status="sending")
    with pytest.raises(StillSending):
        receive(address_of(eastgate), report(message.public_id, "failed"))
    Message.objects.filter(pk=message.pk).update(status="sent")
    receive(address_of(westgate), report(message.public_id, "failed"))
    message.refresh_from_db()
    assert message.status == "sent"


def test_the_same_mail_at_two_sources_is_a_message_at_each(receive, eastgate, westgate, address_of):
    inbound = [receive(address_of(source), mail()).outcome for source in (eastgate, westgate)]
    assert inbound == ["message", "message"]


AUTOMATIC = [
    ("Precedence", "bulk"), ("Precedence", "auto_reply"), ("Return-Path", "<>"), ("Precedence", "junk"),
    ("X-Autoreply", "yes"), ("Auto-Submitted", "auto-generated"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), AUTOMATIC)
def test_each_sign_of_an_automatic_mail_counts(receive, eastgate, address_of, name, value):
    assert receive(address_of(eastgate), mail(**{name.replace("-", "_"): value})).outcome == "automatic"


def test_auto_submitted_no_is_a_person(receive, eastgate, address_of):
    assert receive(address_of(eastgate), mail(Auto_Submitted="no")).outcome == "message"


def _answer_often(lead) -> None:
    for number in range(LOOP_ANSWERS):
        send_reply(lead_id=lead.pk, reply=Reply(f"Answer {number}"), author=Author(Message.Author.API, "Bot"))


def test_who_writes_to_a_program_for_an_hour_is_a_person_still(receive, eastgate, address_of, lead_at):
    _answer_often(lead_at(eastgate))
    inbound = receive(address_of(eastgate), mail(text="And on Tuesday?"), to=reply_address(Conversation.objects.get()))
    assert inbound.outcome == "message"
    assert Event.objects.filter(type="message.received").count() == 1


def test_what_says_the_same_again_and_again_to_a_program_is_one(receive, eastgate, address_of, lead_at):
    """An auto-responder without the headers of one: nobody's program should answer it for ever."""
    _answer_often(lead_at(eastgate))
    to = reply_address(Conversation.objects.get())
    outcomes = [
        receive(address_of(eastgate), mail(text="We got your mail.", Message_ID=f"<{number}@x.example>"), to=to).outcome
        for number in range(LOOP_REPEATS + 2)
    ]
    assert outcomes == ["message"] * LOOP_REPEATS + ["automatic"] * 2
