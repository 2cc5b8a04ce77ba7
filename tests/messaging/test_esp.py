"""Mail by Postmark, Mailgun, SendGrid and Amazon SES: out, in, and what became of it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from conversations.models import Message, StatusChange
from conversations.services import uploads
from conversations.services.erasing import erase_lead
from conversations.services.provider_calls import read_call
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from leads.models import Lead, OptOut
from messaging.accounts import account_of
from messaging.base import Outgoing
from messaging.call_parts import ProviderCall
from messaging.esp.calls import REFERENCE
from messaging.esp.forms import form_fields
from messaging.esp.ses import _client as ses_client
from messaging.failures import NotNow, NotSent, NotUnderstood
from messaging.models import ChannelConnection, InboundCall, InboundMail
from messaging.registry import PROVIDERS
from messaging.services import change, disconnect
from messaging.trying import check, send_test
from tests.support.due import claim_of, run_jobs
from tests.support.esp import (
    ANSWERS,
    OURS,
    REGION,
    MailgunCalls,
    PostmarkCalls,
    SendGridCalls,
    SesCalls,
    basic,
    connected,
    form,
    metadata_of,
)
from tests.support.files import PDF, mail_with
from tests.support.mails import mail
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
LEAD = "ava@example.net"
# SES brings whole mails, publishes neither delays nor unsubscriptions, and its server knows no keys: see TestSes.
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


FORGED = b'--x\r\nContent-Disposition: form-data; name="envelope"\r\n\r\n{"from": "ceo@bank.example"}'
HEAD = b"From: ava@example.net\r\n"


@pytest.mark.parametrize("raw", [
    b"\0", b"no headers", HEAD + b"\r\nlone\rCR and \xc3\xbc", b"\r\n--boundary--\r\n", HEAD + b"\r\n" + FORGED,
    HEAD + b"Reply-To: " + b"((((" * 5_000 + b"\r\n\r\nHello", b"Resent-To: " + b'\xc3\xa9" ' * 5_000,
])  # fmt: skip
def test_whatever_a_lead_sends_is_a_mail(raw, esp_calls):
    assert esp_calls.bring(raw).status_code == 200
    run_jobs()
    assert InboundCall.objects.get().outcome == "applied"
    assert bytes(InboundMail.objects.exclude(outcome="waiting").get().raw) == raw


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


def test_who_does_not_know_the_secret_is_refused_and_nothing_is_kept(esp_calls):
    assert esp_calls.pretend(b'{"RecordType": "Delivery"}').status_code == 403
    assert not InboundCall.objects.exists()


NONSENSE = [b"", b"{", b"[]", b"[1]", b"{}", b"null", b"\xff\xfe", b'"text"', b'{"RecordType": 1}', b'[{"event": []}]',
            b'{"RecordType": "Bounce", "Metadata": 4, "Type": []}', b'{"notificationType": "Received"}',
            b'{"eventType": "Bounce", "mail": {}}', b'{"signature": 5}', b'[{"event": "bounce", "timestamp": "x"}]',
            b'{"FromFull": 1, "RawEmail": 5}', b'{"RawEmail": "\\ud800 words", "Headers": [4]}']  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE)
def test_nonsense_is_kept_and_harms_nothing(body, esp_calls):
    assert esp_calls.say(body).status_code in (200, 403)
    run_jobs()
    assert not InboundCall.objects.filter(outcome="waiting").exists()


def test_a_body_that_is_cut_off_is_no_mail_half_read(esp_calls):
    raw = b'{"RecordType": "Delivery", "MessageID": "x", "Meta'
    assert esp_calls.say(raw).status_code in (200, 403)
    run_jobs()
    assert not InboundCall.objects.filter(outcome="waiting").exists()


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


class TestSes:
    @pytest.fixture
    def calls(self, plumbing, actor, ses_server) -> SesCalls:
        calls = SesCalls()
        calls.connection = connected("ses", plumbing, actor)
        return calls

    def test_sns_is_asked_for_the_password_that_it_has(self, calls):
        answered = calls.notify({"eventType": "Send"}, password="")
        assert (answered.status_code, answered["WWW-Authenticate"]) == (401, 'Basic realm="Leadwire"')

    def test_a_subscription_is_confirmed_by_itself(self, calls, aws):
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": REGION}
        client = boto3.client("sns", endpoint_url=aws, **keys)
        client.create_topic(Name="mail")
        calls.notify("You have chosen to subscribe", "SubscriptionConfirmation", Token="a-token")
        run_jobs()
        assert InboundCall.objects.get().outcome == "ignored"
        client.close()

    def test_a_mail_too_long_for_sns_is_fetched_from_the_bucket(self, calls, aws):
        client = boto3.client("s3", endpoint_url=aws, aws_access_key_id="k", aws_secret_access_key="s",
                              region_name=REGION)  # fmt: skip
        client.create_bucket(Bucket="inbound", CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_object(Bucket="inbound", Key="a/mail", Body=mail("From the bucket."))
        receipt = {"recipients": [ANSWERS], "action": {"type": "S3", "bucketName": "inbound", "objectKey": "a/mail"}}
        calls.notify({"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}})
        run_jobs()
        assert Message.objects.get().content == "From the bucket."
        client.close()

    def test_a_mail_that_cannot_be_fetched_now_is_fetched_later(self, calls):
        receipt = {"recipients": [ANSWERS], "action": {"type": "S3", "bucketName": "nowhere", "objectKey": "a"}}
        calls.notify({"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}})
        call = InboundCall.objects.get()
        with pytest.raises(NotNow, match="nowhere"):
            read_call(call.pk)
        call.refresh_from_db()
        assert (call.outcome, "nowhere" in call.detail) == ("waiting", True)
        calls.connection.refresh_from_db()
        assert "nowhere" in calls.connection.last_check["detail"], "somebody has to know"

    def test_a_subscription_that_cannot_be_confirmed_is_told_of(self, calls, settings):
        settings.LEADWIRE_SES_URL = "http://127.0.0.1:9"
        address = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&Token=x"
        calls.notify("You have chosen", "SubscriptionConfirmation", Token="x", SubscribeURL=address)
        run_jobs()
        calls.connection.refresh_from_db()
        assert f"Open {address} to do it." in calls.connection.last_check["detail"]

    def test_a_mail_that_amazon_calls_forged_speaks_for_nobody(self, calls):
        receipt = {"recipients": [ANSWERS], "action": {"type": "SNS"}, "dmarcVerdict": {"status": "FAIL"}}
        notice = {"notificationType": "Received", "receipt": receipt, "mail": {"source": LEAD}}
        calls.notify({**notice, "content": mail("STOP").decode()})
        run_jobs()
        assert Message.objects.get().content == "STOP"
        assert not OptOut.objects.exists()

    @pytest.mark.parametrize(("code", "status", "is_permanent"), [
        ("MessageRejected", 400, True), ("TooManyRequestsException", 429, False), ("InvalidClientTokenId", 403, False),
        ("SendingPausedException", 400, False), ("InternalFailure", 500, False),
    ])  # fmt: skip
    def test_what_amazon_refuses_is_refused(self, code, status, is_permanent, calls):
        account = account_of(calls.connection)
        with Stubber(ses_client("AKIAIOSFODNN7EXAMPLE", "secret", REGION)) as amazon:
            amazon.add_client_error("send_email", code, "Email address is not verified.", status)
            with pytest.raises(NotSent, match="Amazon SES") as raised:
                PROVIDERS["ses"].send(account, a_mail())
        assert (raised.value.is_permanent, raised.value.is_unknown) == (is_permanent, False)

    @pytest.mark.parametrize(("is_out_of_the_sandbox", "words"), [(True, "50,000 mails a day"), (False, "sandbox")])
    def test_check_says_how_much_may_be_sent(self, is_out_of_the_sandbox, words, calls, actor):
        with Stubber(ses_client("AKIAIOSFODNN7EXAMPLE", "secret", REGION)) as amazon:
            quota = {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0}
            told = {"SendingEnabled": True, "ProductionAccessEnabled": is_out_of_the_sandbox, "SendQuota": quota}
            amazon.add_response("get_account", told)
            result = check(connection=calls.connection, actor=actor)
        assert result["ok"]
        assert words in result["detail"]


def a_mail() -> Outgoing:
    return Outgoing(reference="msg_1", to=LEAD, text="Hello", html="<p>Hello</p>", subject="Hello",
                    message_id="<1@x.example>", sender_name="Sales", sender_address=OURS, reply_to=ANSWERS)  # fmt: skip


DEEP = b"[" * 100_000


def test_json_without_an_end_is_nothing_of_ours(esp_calls):
    for body in (DEEP, b'{"Message": "' + DEEP + b'"}'):
        assert esp_calls.post(body).status_code in (401, 403)
        assert esp_calls.say(body).status_code in (200, 403)
    run_jobs()
    assert not InboundCall.objects.filter(outcome="waiting").exists()


def test_who_disconnected_is_believed_again_with_all_secrets_only(esp_calls, actor):
    connection = esp_calls.connection
    disconnect(connection=connection, actor=actor)
    change(connection=connection, actor=actor, settings={"inbound_address": "other@in.northside.example"})
    connection.refresh_from_db()
    assert not connection.is_connected
    ChannelConnection.objects.filter(pk=connection.pk).update(disconnected_at=None)  # however that may have come
    assert esp_calls.post(b"{}", Authorization=basic("")).status_code == 403
    change(connection=connection, actor=actor, settings=esp_calls.settings)
    assert esp_calls.bring(mail()).status_code == 200


def test_a_hard_bounce_after_a_soft_one_blocks_the_address(written, esp_calls):
    message = told(esp_calls, "soft", answer(written))
    told(esp_calls, "hard", message)
    assert OptOut.objects.of(written).get().reason == "bounce"


def test_what_strangers_say_of_a_check_is_not_believed(esp_calls, settings):
    settings.MAIL_AUTHSERV_ID = "mx.leadwire.example"
    claims = "mx.leadwire.example; dmarc=pass"
    esp_calls.bring(mail("STOP", Authentication_Results=claims), sender="mallory@evil.example")
    run_jobs()
    assert Message.objects.get().content == "STOP"
    assert not OptOut.objects.exists()


def test_many_mails_that_wait_let_others_come_later(esp_calls, monkeypatch):
    monkeypatch.setattr("messaging.email.incoming.WAITING_MAX", 1)
    esp_calls.bring(mail())
    read_call(InboundCall.objects.get().pk)
    later = esp_calls.bring(mail(Message_ID="<second@example.net>"))
    assert (later.status_code, "Retry-After" in later) == (503, True)


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


@pytest.fixture
def mailgun(plumbing, actor, esp_server) -> MailgunCalls:
    calls = MailgunCalls()
    calls.connection = connected("mailgun", plumbing, actor)
    return calls


def test_a_signature_of_mailgun_is_not_good_for_ever(mailgun, monkeypatch):
    body, content_type = form({**mailgun.signed(), "body-mime": mail(), "sender": LEAD, "recipient": ANSWERS})
    later = time.time() + 13 * 3600
    monkeypatch.setattr("messaging.esp.mailgun.time.time", lambda: later)
    assert mailgun.post(body, content_type).status_code == 403


def test_a_form_with_very_many_fields_is_none(mailgun):
    values = {**mailgun.signed(), **{f"f{number}": "" for number in range(1_001)}, "body-mime": mail()}
    assert mailgun.post(*form(values)).status_code == 403


def multipart(body: bytes) -> ProviderCall:
    return ProviderCall("", body, content_type="multipart/form-data; boundary=bb")


def part(name: str, content: bytes) -> bytes:
    return f'--bb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"


def test_a_line_that_begins_like_the_boundary_does_not_end_a_mail():
    text = b"One\r\n--bb is no end\r\nTwo"
    assert form_fields(multipart(part("email", text) + b"--bb--\r\n"), "email") == {"email": text}


def test_a_field_that_comes_twice_is_nobodys():
    with pytest.raises(NotUnderstood, match="twice"):
        form_fields(multipart(part("envelope", b"{}") * 2 + b"--bb--\r\n"), "envelope")


def test_a_short_form_has_its_bytes():
    call = ProviderCall("", b"body-mime=Gr%FC%DFe+x&a=\xff", content_type="application/x-www-form-urlencoded")
    assert form_fields(call, "body-mime", "a") == {"body-mime": b"Gr\xfc\xdfe x", "a": b"\xff"}


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


def test_a_call_that_is_longer_than_any_mail_is_refused_unread(esp_calls, monkeypatch):
    monkeypatch.setattr("messaging.callbacks.CALL_MAX_BYTES", 2_000)
    assert esp_calls.bring(mail("x" * 3_000)).status_code == 413
    assert not InboundCall.objects.exists()
