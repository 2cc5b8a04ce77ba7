"""Mail by Postmark, Mailgun, SendGrid and Amazon SES: out, in, and what became of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conversations.models import Message, StatusChange
from conversations.services import uploads
from conversations.services.erasing import erase_lead
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from leads.models import Lead, OptOut
from messaging.esp.calls import REFERENCE
from messaging.esp.ses import _client as ses_client
from messaging.models import ChannelConnection, InboundCall, InboundMail
from messaging.registry import PROVIDERS
from messaging.services import change
from messaging.trying import check, send_test
from tests.support.due import claim_of, run_jobs
from tests.support.esp import (
    ANSWERS,
    OURS,
    PostmarkCalls,
    SendGridCalls,
    basic,
    connected,
    metadata_of,
)
from tests.support.files import PDF, mail_with
from tests.support.mails import mail
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
LEAD = "ava@example.net"
# SES brings whole mails, publishes neither delays nor unsubscriptions, and its server knows no keys: see test_ses.py.
BY_HTTP = pytest.mark.parametrize("esp_calls", ["postmark", "mailgun", "sendgrid"], indirect=True)


@pytest.fixture
def written(esp_calls) -> Lead:
    """A lead who wrote a mail."""
    assert esp_calls.bring(mail(Message_ID="<first@example.net>")).status_code == 200
    run_jobs()
    return Lead.objects.get()


def answer(lead: Lead, reply: Reply | None = None) -> Message:
    """Answer a lead, and let the stream's function send it."""
    message = send_reply(lead_id=lead.pk, reply=reply or Reply("We come today."), author=STAFF)
    send_claimed(claim_of(message))
    message.refresh_from_db()
    return message


def told(calls: Any, kind: str, message: Message) -> Message:
    """Let the ESP report on the mail that it took last."""
    assert calls.tell(kind, calls.server.taken[-1]).status_code == 200
    run_jobs()
    message.refresh_from_db()
    return message


def test_a_mail_becomes_a_lead_and_is_answered(written, esp_calls):
    assert (written.email, written.source_id) == (LEAD, esp_calls.connection.source_id)
    message = answer(written)
    assert (message.connection_id, message.status) == (esp_calls.connection.pk, "sent")
    sent = esp_calls.server.taken[-1]
    assert (sent["to"], sent["text"].strip()) == (LEAD, "We come today.")
    assert OURS in sent["from"]
    assert ANSWERS in sent["reply_to"]
    assert sent["headers"]["In-Reply-To"] == "<first@example.net>"
    assert metadata_of(sent) == message.public_id
    assert message.external_id == sent["id"]
    assert told(esp_calls, "delivered", message).status == "delivered"
    assert Event.objects.filter(type="message.delivered").count() == 1


def test_a_mail_is_kept_whole_and_once(esp_calls):
    raw = mail("Grüße 🔧, my tap leaks.")
    assert esp_calls.bring(raw).status_code == 200
    run_jobs()
    assert Message.objects.get(direction="inbound").content == "Grüße 🔧, my tap leaks."
    kept = InboundMail.objects.get()
    assert (bytes(kept.raw), kept.envelope_from, kept.envelope_to) == (raw, LEAD, ANSWERS)
    call = InboundCall.objects.get()
    assert (call.outcome, bytes(call.body)) == ("applied", b"")


@BY_HTTP
def test_a_mail_in_parts_is_told_of_on_the_page(esp_calls, dana_client):
    assert esp_calls.bring(mail("My tap leaks."), is_whole=False).status_code == 200
    run_jobs()
    assert InboundCall.objects.get().outcome == "unreadable"
    page = dana_client.get(f"/settings/channels/{esp_calls.connection.pk}/").text
    assert "A mail came in parts and was not taken." in page


def test_the_same_call_twice_is_one_message(written, esp_calls):
    assert esp_calls.bring(mail(Message_ID="<first@example.net>")).status_code == 200
    run_jobs()
    assert Message.objects.count() == 1


def test_an_answer_comes_into_the_conversation_of_the_mail_that_it_answers(written, esp_calls):
    message = answer(written)
    later = mail("Thank you!", Message_ID="<second@example.net>", In_Reply_To=f"<{message.public_id}@x.example>")
    esp_calls.bring(later)
    run_jobs()
    assert Message.objects.filter(content="Thank you!").get().conversation_id == message.conversation_id


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_a_mail_that_came_back(kind, written, esp_calls):
    message = told(esp_calls, kind, answer(written))
    assert (message.status, message.error_code) == ("failed", "channel.bounced")
    assert Event.objects.filter(type="message.bounced").count() == 1
    blocked = OptOut.objects.of(written).filter(channel="email")
    assert list(blocked.values_list("reason", flat=True)) == (["bounce"] if kind == "hard" else [])
    told(esp_calls, kind, message)
    assert Event.objects.filter(type="message.bounced").count() == 1


def test_a_complaint_blocks_the_address_and_is_noted_once(written, esp_calls):
    message = told(esp_calls, "complained", answer(written))
    told(esp_calls, "complained", message)
    assert OptOut.objects.of(written).get().reason == "complaint"
    assert StatusChange.objects.filter(message=message, step="complaint").count() == 1
    assert message.status == "sent"


def test_what_the_esp_did_not_send_has_failed(written, esp_calls):
    message = told(esp_calls, "rejected", answer(written))
    assert (message.status, message.error_code) == ("failed", "channel.refused")
    assert PROVIDERS[esp_calls.slug].label in message.error_detail


@BY_HTTP
def test_a_delay_is_noted_once_and_an_unsubscription_blocks(written, esp_calls):
    message = told(esp_calls, "deferred", answer(written))
    told(esp_calls, "deferred", message)
    assert StatusChange.objects.filter(message=message, step="delayed").count() == 1
    told(esp_calls, "unsubscribed", message)
    assert OptOut.objects.of(written).get().reason == "unsubscribe"


@pytest.mark.parametrize("kind", ["delivered", "soft"])
def test_a_report_before_our_own_record_is_the_record(kind, written, esp_calls, monkeypatch):
    message = send_reply(lead_id=written.pk, reply=Reply("We come."), author=STAFF)
    monkeypatch.setattr("conversations.services.sending._record_sent", lambda *_: None)
    send_claimed(claim_of(message))
    told(esp_calls, kind, message)
    assert message.status == ("delivered" if kind == "delivered" else "failed")
    assert message.external_id == esp_calls.server.taken[-1]["id"]


def test_a_report_without_our_own_id_is_known_by_the_esps(written, esp_calls):
    message = answer(written)
    sent = esp_calls.server.taken[-1]
    sent["metadata"].pop(REFERENCE)
    esp_calls.tell("delivered", sent)
    run_jobs()
    message.refresh_from_db()
    assert message.status == "delivered"


def test_a_report_about_nothing_of_ours_changes_nothing_and_is_kept(esp_calls):
    assert esp_calls.tell("hard", {"id": "<4711@example.org>", "metadata": {}}).status_code == 200
    run_jobs()
    assert InboundCall.objects.get().outcome == "ignored"


@pytest.mark.parametrize(("how", "status", "code"), [
    ("busy", "sending", ""), ("broken", "sending", ""), ("unknown", "sending", ""),
    ("refused", "failed", "channel.refused"), ("inactive", "failed", "channel.refused"),
    ("cut", "failed", "channel.unknown"),
])  # fmt: skip
@BY_HTTP
def test_how_an_esp_can_fail(how, status, code, written, esp_calls):
    before = len(esp_calls.server.taken)
    esp_calls.server.next(how)
    message = answer(written)
    assert (message.status, message.error_code) == (status, code)
    assert PROVIDERS[esp_calls.slug].label in message.error_detail
    assert len(esp_calls.server.taken) - before == (1 if how == "cut" else 0)
    if code == "channel.unknown":  # the report mends it by itself
        assert told(esp_calls, "delivered", message).status == "delivered"


@pytest.mark.parametrize("esp_calls", ["postmark", "mailgun"], indirect=True)  # SendGrid's answer has no words at all
def test_an_answer_that_names_no_message_is_no_failure_to_send_again(written, esp_calls):
    esp_calls.server.next("garbage")
    message = answer(written)
    assert (message.status, message.error_code) == ("failed", "channel.unknown")
    assert told(esp_calls, "delivered", message).status == "delivered"


def test_an_esp_that_is_not_there_is_tried_again(written, esp_calls, settings):
    for name in ("POSTMARK", "MAILGUN", "SENDGRID", "SES"):
        setattr(settings, f"LEADWIRE_{name}_URL", "http://127.0.0.1:9")
    ses_client.cache_clear()
    message = answer(written)
    assert message.status == "sending"
    assert "could not be reached" in message.error_detail


def test_files_go_out_with_a_mail(written, esp_calls, file_store):
    file = uploads.keep(source=written.source, name="offer.pdf", content=PDF)
    run_jobs()
    message = answer(written, Reply("Our offer.", file_keys=[file.key]))
    assert message.status == "sent", message.error_detail
    assert base64.b64decode(esp_calls.server.taken[-1]["files"]["offer.pdf"]) == PDF


def test_a_file_comes_in_with_a_mail(esp_calls, file_store):
    esp_calls.bring(mail_with(("plan.pdf", PDF)))
    run_jobs()
    assert Message.objects.get().attachment_count == 1


def test_without_an_address_for_answers_they_come_to_the_source(plumbing, actor, written, esp_calls):
    change(connection=esp_calls.connection, actor=actor, settings={"inbound_address": ""})
    answer(written)
    own = ChannelConnection.objects.get(source=plumbing, provider="installation")
    assert own.local_part in esp_calls.server.taken[-1]["reply_to"]


@BY_HTTP
def test_check_says_in_words_whether_the_esp_knows_the_account(esp_calls, actor):
    result = check(connection=esp_calls.connection, actor=actor)
    assert result["ok"], result
    assert PROVIDERS[esp_calls.slug].label in result["detail"]
    assert send_test(connection=esp_calls.connection, actor=actor, to="dana@example.org")["ok"]


@BY_HTTP
def test_a_wrong_key_is_said_in_words(esp_calls, actor):
    names = {"postmark": "server_token", "mailgun": "api_key", "sendgrid": "api_key"}
    change(connection=esp_calls.connection, actor=actor, settings={names[esp_calls.slug]: "another"})
    result = check(connection=esp_calls.connection, actor=actor)
    assert not result["ok"]
    assert "Enter the current one" in result["detail"]


def test_a_hard_bounce_after_a_soft_one_blocks_the_address(written, esp_calls):
    message = told(esp_calls, "soft", answer(written))
    told(esp_calls, "hard", message)
    assert OptOut.objects.of(written).get().reason == "bounce"


def test_a_subscription_change_after_a_bounce_is_one(plumbing, actor, esp_server):
    calls = PostmarkCalls()
    calls.server, calls.connection = esp_server, connected("postmark", plumbing, actor)
    calls.bring(mail())
    run_jobs()
    message = answer(Lead.objects.get())
    about = {"MessageID": message.external_id, "Recipient": LEAD, "Metadata": {REFERENCE: message.public_id}}
    changed = {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "HardBounce"}
    calls.post({**about, **changed}, Authorization=basic())
    run_jobs()
    assert OptOut.objects.get().reason == "bounce"


def test_one_odd_event_takes_no_others_along(plumbing, actor, esp_server):
    calls = SendGridCalls()
    calls.server, calls.connection = esp_server, connected("sendgrid", plumbing, actor)
    calls.bring(mail())
    run_jobs()
    message = answer(Lead.objects.get())
    event = {"event": "delivered", "email": LEAD, "timestamp": 1e300, **esp_server.taken[-1]["metadata"]}
    calls.say(json.dumps([{"event": "dropped", "reason": None}, event, {**event, "timestamp": 1}]).encode())
    run_jobs()
    message.refresh_from_db()
    assert message.status == "delivered"


def test_a_lead_of_another_source_is_erased_from_the_mails_too(eastgate, lead_at, esp_calls, actor):
    lead = lead_at(eastgate, LEAD)
    answer(lead)  # by the connection of the business, so that the lead's answer arrives at the location
    esp_calls.bring(mail("Thank you!", Message_ID="<second@example.net>"))
    run_jobs()
    message = Message.objects.get(content="Thank you!")
    assert message.source_id == eastgate.pk
    erase_lead(lead=lead, actor=actor)
    kept = InboundMail.objects.get()
    assert (bytes(kept.raw), kept.sender) == (b"", "")
