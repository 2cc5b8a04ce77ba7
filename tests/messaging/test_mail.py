"""Mail in and out: threads, answers, bounces and opt-outs, through a real SMTP server."""

from __future__ import annotations

import smtplib

import pytest

from accounts.actors import SYSTEM
from conversations.models import Conversation, Message
from conversations.services.lifecycle import close
from leads.models import Lead, OptOut
from messaging.email.listener import make_controller
from messaging.models import InboundMail
from tests.support.due import make_due
from tests.support.mails import mail, message_of, reply_address, report
from tests.support.waiting import wait_for
from webhooks.models import Event


@pytest.mark.django_db(transaction=True)
def test_a_reply_is_mailed_in_its_thread(worker, mail_server, api, key_of, eastgate, receive, address_of):
    receive(address_of(eastgate), mail())
    lead = Lead.objects.get()
    answer = api.reply(key_of(eastgate), lead, "We come at 4.\nBring coffee.")
    [sent] = mail_server.wait(1)
    assert sent["To"] == "ava@example.net"
    assert sent["Subject"] == "Re: Leaking tap"
    assert sent["In-Reply-To"] == "<first@example.net>"
    assert sent["Reply-To"] == reply_address(Conversation.objects.get())
    assert sent["From"].endswith(f"<{address_of(eastgate).address}>")
    assert sent.get_body(("plain",)).get_content().split("\r\n")[:2] == ["We come at 4.", "Bring coffee."]
    assert "We come at 4.<br>Bring coffee." in sent.get_body(("html",)).get_content()
    message_id = answer.json()["data"]["message"]["id"]
    wait_for(lambda: Message.objects.get(direction="outbound").status == "sent")
    assert sent["Message-ID"].startswith(f"<{message_id}@")


@pytest.mark.django_db(transaction=True)
def test_a_permanent_refusal_fails_the_message_with_its_reason(worker, mail_server, api, key_of, eastgate, lead_at):
    mail_server.refusals = ["550 5.1.1 no such user"]
    api.reply(key_of(eastgate), lead_at(eastgate))
    message = wait_for(lambda: Message.objects.filter(direction="outbound", status="failed").first())
    assert message.error_code == "channel.refused"
    assert "550 5.1.1 no such user" in message.error_detail
    assert Event.objects.filter(type="message.failed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_temporary_refusal_is_tried_again(worker, mail_server, api, key_of, eastgate, lead_at):
    from messaging.models import Dispatch

    mail_server.refusals = ["451 4.3.0 try later"]
    api.reply(key_of(eastgate), lead_at(eastgate))
    wait_for(lambda: Dispatch.objects.filter(claim=None, attempts=1).first())
    message = Message.objects.get(direction="outbound")
    assert (message.status, "451" in message.error_detail) == ("sending", True)
    make_due()
    mail_server.wait(1)
    wait_for(lambda: Message.objects.get(direction="outbound").status == "sent")


@pytest.mark.django_db(transaction=True)
def test_the_listener_keeps_a_mail_before_it_says_yes(eastgate, address_of):
    from supervisor.ports import choose

    controller = make_controller("127.0.0.1", choose())
    controller.start()
    try:
        with smtplib.SMTP("127.0.0.1", controller.port) as smtp:
            smtp.sendmail("ava@example.net", address_of(eastgate).address, mail())
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                smtp.sendmail("ava@example.net", "nobody@mail.localhost", mail())
    finally:
        controller.stop()
    assert InboundMail.objects.get().outcome == "waiting"


def test_a_mail_becomes_a_lead_with_a_message(receive, eastgate, address_of):
    inbound = receive(address_of(eastgate), mail("My tap leaks.\n\nOn Monday Bob <bob@x.example> wrote:\n> hi\n"))
    assert inbound.outcome == "message"
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name, lead.email) == ("Ava", "Brooks", "ava@example.net")
    message = Message.objects.get()
    assert message.content == "My tap leaks."
    assert message.quoted_text.startswith("On Monday")


def test_the_same_mail_twice_is_one_message(receive, eastgate, address_of):
    receive(address_of(eastgate), mail())
    assert receive(address_of(eastgate), mail()).outcome == "repeated"
    assert Message.objects.count() == 1


def test_a_mail_to_the_reply_address_goes_into_its_conversation(receive, eastgate, address_of, lead_at):
    lead_at(eastgate)
    conversation = Conversation.objects.get()
    receive(address_of(eastgate), mail("Thanks!"), to=reply_address(conversation))
    assert [message.content for message in conversation.messages.order_by("id")] == ["My tap leaks.", "Thanks!"]


def test_a_reply_token_with_another_sender_is_shown_as_from_that_address(receive, eastgate, address_of, lead_at):
    lead_at(eastgate)
    conversation = Conversation.objects.get()
    raw = mail("I am her husband.", sender="Tom <tom@example.net>")
    inbound = receive(address_of(eastgate), raw, to=reply_address(conversation))
    assert message_of(inbound).author_name == "tom@example.net"
    assert message_of(inbound).conversation == conversation
    assert Lead.objects.count() == 1


def test_in_reply_to_counts_only_from_the_leads_own_address(receive, eastgate, address_of, api, token):
    receive(address_of(eastgate), mail())
    stranger = mail("Mine!", sender="Tom <tom@example.net>", In_Reply_To="<first@example.net>", Message_ID="<b@x.y>")
    receive(address_of(eastgate), stranger)
    assert Lead.objects.count() == 2
    first = Conversation.objects.get(lead__email="ava@example.net")
    api.create_lead(token, source_id=eastgate.public_id, request_title="A newer conversation of hers")
    own = mail("More.", In_Reply_To="<first@example.net>", Message_ID="<c@x.y>")
    assert message_of(receive(address_of(eastgate), own)).conversation == first
    references = mail("Even more.", References="<no@x.y> <first@example.net>", Message_ID="<d@x.y>")
    assert message_of(receive(address_of(eastgate), references)).conversation == first


def test_a_message_reopens_a_conversation_closed_less_than_14_days_ago(receive, eastgate, address_of, lead_at, dana):
    from datetime import timedelta

    from django.utils import timezone

    lead_at(eastgate)
    conversation = Conversation.objects.get()
    close(conversation_id=conversation.pk, actor=SYSTEM)
    receive(address_of(eastgate), mail("One more thing."))
    conversation.refresh_from_db()
    assert conversation.is_open
    Conversation.objects.update(closed_at=timezone.now() - timedelta(days=13, hours=23))
    receive(address_of(eastgate), mail("Still in time.", Message_ID="<e@x.y>"))
    assert Conversation.objects.get().is_open
    Conversation.objects.update(closed_at=timezone.now() - timedelta(days=14, hours=1))
    receive(address_of(eastgate), mail("Hello again.", Message_ID="<d@x.y>"))
    assert Conversation.objects.count() == 2


def test_an_automatic_answer_never_reopens_marks_unread_or_becomes_an_event(
    receive, eastgate, address_of, lead_at, dana
):
    lead_at(eastgate)
    conversation = Conversation.objects.get()
    close(conversation_id=conversation.pk, actor=SYSTEM)
    events = Event.objects.count()
    raw = mail("I am on holiday.", Auto_Submitted="auto-replied")
    inbound = receive(address_of(eastgate), raw, to=reply_address(conversation))
    conversation.refresh_from_db()
    assert inbound.outcome == "automatic"
    assert message_of(inbound).is_automatic
    assert not conversation.is_open
    assert not conversation.is_unread
    assert Event.objects.count() == events


def test_a_stop_word_blocks_mail_in_the_whole_organization(
    receive, api, key_of, eastgate, westgate, address_of, lead_at
):
    receive(address_of(eastgate), mail("STOP"))
    assert OptOut.objects.get().reason == "stop"
    other = lead_at(westgate)
    answer = api.reply(key_of(westgate), other)
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.optedOut")
    receive(address_of(eastgate), mail("start", Message_ID="<s@x.y>"))
    assert not OptOut.objects.in_force().exists()


def test_a_bounce_fails_the_message_that_came_back(receive, eastgate, address_of, lead_at, api, key_of):
    lead_at(eastgate)
    answer = api.reply(key_of(eastgate), Lead.objects.get())
    Message.objects.filter(direction="outbound").update(status="sent")
    public_id = answer.json()["data"]["message"]["id"]
    assert receive(address_of(eastgate), report(public_id, "failed")).outcome == "automatic"
    message = Message.objects.get(direction="outbound")
    assert (message.status, message.error_code) == ("failed", "channel.bounced")
    assert message.error_detail == "5.1.1 550 user unknown"
    assert Event.objects.filter(type="message.bounced").count() == 1


def test_a_report_of_a_delay_or_of_another_message_fails_nothing(receive, eastgate, address_of, lead_at, api, key_of):
    lead_at(eastgate)
    key, lead = key_of(eastgate), Lead.objects.get()
    first, second = (api.reply(key, lead).json()["data"]["message"]["id"] for _ in range(2))
    Message.objects.filter(direction="outbound").update(status="sent")
    receive(address_of(eastgate), report(second, "delayed"))
    assert not Message.objects.filter(status="failed").exists()
    receive(address_of(eastgate), report(second, "failed", earlier=first))
    assert [message.public_id for message in Message.objects.filter(status="failed")] == [second]


def test_a_bounce_reopens_nothing_and_marks_nothing_unread(receive, eastgate, address_of, lead_at, api, key_of, dana):
    lead_at(eastgate)
    public_id = api.reply(key_of(eastgate), Lead.objects.get()).json()["data"]["message"]["id"]
    Message.objects.filter(direction="outbound").update(status="sent")
    conversation = Conversation.objects.get()
    close(conversation_id=conversation.pk, actor=SYSTEM)
    receive(address_of(eastgate), report(public_id, "failed"))
    conversation.refresh_from_db()
    assert not conversation.is_open
    assert not conversation.is_unread
    assert Message.objects.filter(direction="inbound").count() == 1  # the lead's own


def test_start_does_not_lift_what_a_person_blocked(receive, eastgate, address_of, lead_at, dana_client):
    lead_at(eastgate)
    dana_client.post(f"/leads/{Lead.objects.get().public_id}/consent/")
    receive(address_of(eastgate), mail("start"))
    assert OptOut.objects.in_force().get().reason == "person"


def test_an_automatic_answer_is_not_shown_as_the_leads_words(receive, eastgate, address_of, lead_at, api, key_of):
    lead_at(eastgate)
    conversation = Conversation.objects.get()
    receive(address_of(eastgate), mail("Away.", Auto_Submitted="auto-replied"), to=reply_address(conversation))
    shown = api.get(f"conversations/{conversation.public_id}/messages", key_of(eastgate)).json()["data"]["messages"]
    assert [row["author"]["kind"] for row in shown] == ["automation", "lead"]


SLOW = {
    "nested blocks": "Content-Type: text/html\n\n" + "<div>" * 200_000,
    "open tags": "Content-Type: text/html\n\n" + "<a " * 200_000,
    "parameters": "Content-Type: text/plain" + "; a=b" * 16_000 + "\n\nhi",
    "parts": "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\n" * 300_000,
    "comments": "From: " + "(" * 1_900 + "\n\nhi",
    "diagnostic": "Content-Type: multipart/report\n\nDiagnostic-Code:" + "\n" * 100_000,
}


@pytest.mark.parametrize("raw", SLOW.values(), ids=SLOW)
def test_a_mail_that_is_made_to_be_slow_or_deep_is_read_or_put_aside(receive, eastgate, address_of, raw):
    import time

    started = time.process_time()
    inbound = receive(address_of(eastgate), b"Message-ID: <slow@x.y>\n" + raw.encode())
    assert inbound.outcome in ("message", "automatic", "unreadable")
    assert time.process_time() - started < 5


def test_the_whole_mail_can_be_fetched_as_a_file(dana_client, receive, eastgate, address_of, lead_at):
    raw = mail("Hello\n\n> quoted", Subject="Tap")
    message = message_of(receive(address_of(eastgate), raw))
    path = f"/messages/{message.public_id}/mail/"
    assert path in dana_client.get(f"/inbox/{message.conversation.public_id}/").content.decode()
    answer = dana_client.get(path)
    assert answer.content == raw
    assert answer["Content-Type"] == "message/rfc822"
    assert answer["Content-Disposition"].startswith("attachment")
    lead_at(eastgate)  # a message that was no mail
    assert dana_client.get(f"/messages/{Message.objects.latest('id').public_id}/mail/").status_code == 404
