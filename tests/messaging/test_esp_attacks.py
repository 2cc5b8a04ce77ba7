"""ESPs as strangers use them: without the secret, with nonsense, with forms that somebody else wrote."""

from __future__ import annotations

import time

import pytest

from conversations.models import Message
from conversations.services.provider_calls import read_call
from conversations.services.replies import Author
from leads.models import OptOut
from messaging.call_parts import ProviderCall
from messaging.esp.forms import form_fields
from messaging.failures import NotUnderstood
from messaging.models import ChannelConnection, InboundCall, InboundMail
from messaging.services import change, disconnect
from tests.support.due import run_jobs
from tests.support.esp import (
    ANSWERS,
    MailgunCalls,
    basic,
    connected,
    form,
)
from tests.support.mails import mail

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
LEAD = "ava@example.net"


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


def test_a_call_that_is_longer_than_any_mail_is_refused_unread(esp_calls, monkeypatch):
    monkeypatch.setattr("messaging.callbacks.CALL_MAX_BYTES", 2_000)
    assert esp_calls.bring(mail("x" * 3_000)).status_code == 413
    assert not InboundCall.objects.exists()


@pytest.mark.parametrize("event", [None, [], 5, {}, {"event": []}, {"event": "failed", "delivery-status": "x"},
                                   {"event": "delivered", "timestamp": 1e300}, {"event": "failed", "message": 4}])  # fmt: skip
def test_nonsense_that_mailgun_signed_harms_nothing(event, mailgun):
    assert mailgun.post({"signature": mailgun.signed(), "event-data": event}).status_code == 200
    run_jobs()
    assert InboundCall.objects.get().outcome in ("ignored", "unreadable")
