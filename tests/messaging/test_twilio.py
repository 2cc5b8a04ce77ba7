"""SMS by Twilio: what goes out, what comes in, what became of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from conversations.models import Message
from conversations.services.provider_calls import read_call
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from leads.models import Lead, OptOut
from messaging.models import Dispatch, InboundCall
from tests.support.due import claim_of
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
PHONE = "+14155550100"


@pytest.fixture
def texted(sms, twilio_server, read_calls) -> Lead:
    """A lead who wrote an SMS."""
    assert twilio_server.bring(sms, "My tap leaks.").status_code == 200
    read_calls()
    return Lead.objects.get()


def answer(lead: Lead, text: str = "We come today.") -> Message:
    """Answer a lead, and let the stream's function send it."""
    message = send_reply(lead_id=lead.pk, reply=Reply(text), author=STAFF)
    send_claimed(claim_of(message))
    message.refresh_from_db()
    return message


def test_an_sms_becomes_a_lead_and_is_answered_by_sms(texted, sms, twilio_server):
    assert (texted.phone_e164, texted.source_id) == (PHONE, sms.source_id)
    message = answer(texted)
    assert (message.connection_id, message.status) == (sms.pk, "sent")
    sent = twilio_server.taken[-1]
    assert (sent["To"], sent["From"], sent["Body"]) == (PHONE, sms.own_address, "We come today.")
    assert message.external_id == sent["sid"]


def test_the_same_call_twice_is_one_message(texted, sms, twilio_server, read_calls):
    twilio_server.bring(sms, "My tap leaks.")
    read_calls()
    assert Message.objects.count() == 1
    assert Event.objects.filter(type="lead.created").count() == 1


def test_a_read_call_changes_nothing_when_it_is_read_again(texted):
    call = InboundCall.objects.get()
    assert (call.outcome, call.lead_ids) == ("applied", [texted.pk])
    read_call(call.pk)
    assert Message.objects.count() == 1


@pytest.mark.parametrize("token", ["", "another secret"])
def test_a_wrong_signature_is_refused_and_nothing_is_kept(sms, twilio_server, token):
    fields = {"MessageSid": "SM" + "1" * 32, "From": PHONE, "Body": "STOP"}
    assert twilio_server.call_us(sms.callback_url, token, **fields).status_code == 403
    assert not InboundCall.objects.exists()


@pytest.mark.parametrize("signature", ["é", "\udc80", "x" * 10_000, ""])
def test_a_signature_that_is_none_is_refused(sms, client, signature):
    headers = {"X-Twilio-Signature": signature.encode("utf-8", "replace").decode("latin-1")}
    form = "application/x-www-form-urlencoded"
    path = f"/channels/{sms.callback_token}/"
    assert client.post(path, "Body=Hello", content_type=form, headers=headers).status_code == 403


def test_nobody_is_at_an_address_that_was_never_given_out(client, sms):
    assert client.post("/channels/nobody/", "Body=Hello", content_type="text/plain").status_code == 404
    assert client.get(f"/channels/{sms.callback_token}/").status_code == 403


def test_a_disconnected_number_takes_nothing(sms, twilio_server, actor):
    from messaging.services import disconnect

    disconnect(connection=sms, actor=actor)
    assert twilio_server.bring(sms, "Hello").status_code == 404


def test_a_call_that_nobody_understands_is_kept_and_shown(sms, twilio_server, read_calls):
    assert twilio_server.call_us(sms.callback_url, Hello="world").status_code == 200
    read_calls()
    assert InboundCall.objects.get().outcome == "unreadable"


@pytest.mark.parametrize("text", ["\x00\x07", "𝄞 مرحبا " * 200, "   "])
def test_any_text_is_taken(sms, twilio_server, read_calls, text):
    assert twilio_server.bring(sms, text).status_code == 200
    read_calls()
    assert Message.objects.get().content.strip() == (text.strip("\x00\x07 ") or "(empty message)")


def test_the_report_of_a_delivery_is_shown_and_is_an_event(texted, twilio_server, read_calls):
    message = answer(texted)
    sent = twilio_server.taken[-1]
    for status in ("delivered", "sent", "queued", "delivered"):  # out of order, and twice
        assert twilio_server.report(sent, status).status_code == 200
    read_calls()
    message.refresh_from_db()
    assert message.status == "delivered"
    assert Event.objects.filter(type="message.delivered").count() == 1


def test_a_report_that_comes_before_our_own_record_is_that_record(texted, twilio_server, read_calls, monkeypatch):
    from conversations.services import sending

    monkeypatch.setattr(sending, "_record_sent", lambda *_: None)  # the worker dies in this moment
    message = answer(texted)
    assert message.status == "sending"
    twilio_server.report(twilio_server.taken[-1], "delivered")
    read_calls()
    message.refresh_from_db()
    assert (message.status, message.external_id) == ("delivered", twilio_server.taken[-1]["sid"])
    assert not Dispatch.objects.exists()
    assert Event.objects.filter(type="message.sent").count() == 1


def test_a_late_refusal_fails_the_message_with_its_reason(texted, twilio_server, read_calls):
    message = answer(texted)
    twilio_server.report(twilio_server.taken[-1], "undelivered", ErrorCode="30003")
    read_calls()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("failed", "channel.refused")
    assert "off, out of reach" in message.error_detail
    assert Event.objects.filter(type="message.failed").count() == 1


def test_a_report_about_nothing_of_ours_changes_nothing(texted, sms, twilio_server, read_calls):
    answer(texted)
    stranger = {**twilio_server.taken[-1], "sid": "SM" + "9" * 32, "StatusCallback": sms.callback_url}
    assert twilio_server.report(stranger, "failed").status_code == 200
    read_calls()
    assert Message.objects.get(direction="outbound").status == "sent"
    assert InboundCall.objects.latest("id").outcome == "ignored"


@pytest.mark.parametrize("how", ["cut", "garbage"])
def test_what_nobody_confirmed_is_not_sent_again_by_itself(texted, twilio_server, read_calls, how):
    before = len(twilio_server.taken)
    twilio_server.next(how)
    message = answer(texted)
    assert (message.status, message.error_code) == ("failed", "channel.unknown")
    assert "may have been sent" in message.error_detail
    assert not Dispatch.objects.exists()
    assert len(twilio_server.taken) == before + 1
    twilio_server.report(twilio_server.taken[-1], "delivered")  # and Twilio says that it has it after all
    read_calls()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("delivered", "")


def test_a_worker_that_died_while_it_sent_leaves_a_question(texted, twilio_server, monkeypatch):
    from conversations.services import sending

    monkeypatch.setattr(sending, "_record_sent", lambda *_: None)
    message = answer(texted)
    count = len(twilio_server.taken)
    send_claimed(claim_of(message))  # the lease has ended
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("failed", "channel.unknown")
    assert len(twilio_server.taken) == count


@pytest.mark.parametrize(("how", "words"), [("busy", "more slowly"), ("broken", "500"), (20003, "Auth Token")])
def test_what_may_pass_is_tried_again(texted, twilio_server, how, words):
    twilio_server.next(how)
    message = answer(texted)
    row = Dispatch.objects.get()
    assert (message.status, row.dialled_at) == ("sending", None)
    assert words in message.error_detail
    send_claimed(claim_of(message))
    message.refresh_from_db()
    assert message.status == "sent"


def test_the_wait_that_twilio_asks_for_is_kept(texted, twilio_server):
    twilio_server.next("busy")  # Retry-After: 7
    answer(texted)
    again_at = Dispatch.objects.get().next_attempt_at
    assert again_at
    assert 6 < (again_at - timezone.now()).total_seconds() < 8


def test_twilio_away_is_tried_again(texted, settings):
    settings.LEADWIRE_TWILIO_URL = "http://127.0.0.1:9"
    message = answer(texted)
    assert message.status == "sending"
    assert "could not be reached" in message.error_detail


def test_who_said_stop_at_twilio_is_blocked_here(texted, twilio_server, sms):
    twilio_server.next(21610)
    message = answer(texted)
    assert (message.status, message.error_code) == ("failed", "lead.optedOut")
    assert OptOut.objects.get().channel == "sms"
    sms.lane.refresh_from_db()
    assert sms.lane.failing_since is None  # the connection works


@pytest.mark.parametrize("word", ["START", "unstop", "Yes"])
def test_stop_and_start_by_sms(word, texted, sms, twilio_server, read_calls):
    twilio_server.bring(sms, "STOP", MessageSid="SM" + "2" * 32)
    read_calls()
    assert OptOut.objects.in_force().get().address == PHONE
    twilio_server.bring(sms, word, MessageSid="SM" + "3" * 32)
    read_calls()
    assert not OptOut.objects.in_force().exists()


def test_an_answer_goes_to_the_source_that_wrote_last(sms, eastgate, lead_at, twilio_server, read_calls):
    lead = lead_at(eastgate, email="", phone=PHONE)
    message = answer(lead)
    assert message.connection_id == sms.pk  # inherited from the business
    twilio_server.bring(sms, "Thanks")
    read_calls()
    newest = Message.objects.latest("id")
    assert (newest.source_id, newest.lead_id) == (eastgate.pk, lead.pk)


@pytest.mark.parametrize("detail", ["account_sid", "auth_token"])
def test_the_check_says_what_is_wrong(sms, actor, twilio_server, detail):
    from messaging.services import change
    from messaging.trying import check

    assert check(connection=sms, actor=actor)["detail"] == "Twilio knows the account “Northside Plumbing”."
    change(connection=sms, actor=actor, settings={detail: "AC" + "1" * 32})
    result = check(connection=sms, actor=actor)
    assert result["ok"] is False
    assert "Account SID or the Auth Token" in result["detail"]
