"""The doors of mail: what the listener answers, what is kept, what is read twice, what is no bounce."""

from __future__ import annotations

import smtplib

import pytest
from django.db import InterfaceError, OperationalError

from conversations.models import Message
from conversations.services.mail import read_mail
from leads.models import Lead
from messaging.email import incoming, listener
from messaging.email.incoming import keep, keep_all
from messaging.email.reader_process import reader
from messaging.email.reading import read
from messaging.models import InboundMail
from outbox.models import Job
from supervisor.ports import choose
from tests.support.mails import mail, message_of, report
from understanding.report_kinds import Kind
from webhooks.models import Event

OWN = "msg_" + "0" * 26


# --- the listener ---


@pytest.fixture
def smtp(transactional_db):
    """A client of the real listener."""
    controller = listener.make_controller("127.0.0.1", choose())
    controller.start()
    with smtplib.SMTP("127.0.0.1", controller.port) as client:
        yield client
    controller.stop()


def test_a_mail_has_at_most_20_recipients(smtp, eastgate, address_of):
    smtp.ehlo()
    smtp.mail("ava@example.net")
    answers = [smtp.rcpt(address_of(eastgate).address) for _ in range(21)]
    assert [code for code, _ in answers] == [250] * 20 + [452]
    assert answers[-1][1] == b"4.5.3 Too many recipients"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_mail_that_cannot_be_kept_now_is_put_off(smtp, eastgate, address_of, monkeypatch, error):
    def refuse(**_):
        raise error("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(listener, "keep_all", refuse)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail("ava@example.net", address_of(eastgate).address, mail())
    assert refused.value.smtp_code == 451
    assert not InboundMail.objects.exists()
    smtp.sendmail("ava@example.net", address_of(eastgate).address, mail())  # the sender's server tries again
    assert InboundMail.objects.get().outcome == "waiting"


# --- keeping ---


@pytest.mark.django_db
def test_a_mail_is_kept_for_all_its_recipients_or_for_none(eastgate, westgate, address_of, monkeypatch):
    recipients = [address_of(source).address for source in (eastgate, westgate)]
    kept: list[InboundMail] = []

    def fails_at_the_second(**arguments):
        if kept:
            raise OperationalError("the database is gone")
        kept.append(keep(**arguments))

    with monkeypatch.context() as patch:
        patch.setattr(incoming, "keep", fails_at_the_second)
        with pytest.raises(OperationalError):
            keep_all(envelope_from="", recipients=recipients, raw=mail())
    assert kept
    assert (InboundMail.objects.count(), Job.objects.count()) == (0, 0)
    keep_all(envelope_from="", recipients=recipients, raw=mail())
    assert InboundMail.objects.count() == 2


# --- reading ---


@pytest.mark.django_db
def test_a_mail_that_two_jobs_read_at_once_is_one_message(eastgate, address_of, monkeypatch):
    inbound = keep(connection=address_of(eastgate), envelope_from="", envelope_to="", raw=mail())

    def overtaken(raw):
        monkeypatch.undo()
        read_mail(inbound.pk)  # the other job reads it to the end meanwhile
        return read(raw)

    monkeypatch.setattr(reader, "read", overtaken)
    read_mail(inbound.pk)
    inbound.refresh_from_db()
    assert (inbound.outcome, message_of(inbound)) == ("message", Message.objects.get())


@pytest.mark.django_db
def test_a_message_bounces_once_however_often_it_is_reported(receive, eastgate, address_of, lead_at, api, key_of):
    lead_at(eastgate)
    public_id = api.reply(key_of(eastgate), Lead.objects.get()).json()["data"]["message"]["id"]
    Message.objects.filter(direction="outbound").update(status="sent")
    for _ in range(2):
        assert receive(address_of(eastgate), report(public_id, "failed")).outcome == "automatic"
    assert Event.objects.filter(type="message.bounced").count() == 1


def from_a_postmaster(**headers: str) -> bytes:
    words = f"About your mail:\n\n> Message-ID: <{OWN}@mail.localhost>\n> Subject: Re: Leaking tap\n"
    return mail(words, sender="postmaster@mx.example.net", **headers)


def test_a_mailer_that_quotes_our_message_id_sends_a_bounce():
    seen = read(from_a_postmaster())
    assert (seen.report.kind, seen.report.message) == (Kind.BOUNCE, OWN)


def test_a_postmaster_who_is_away_sends_no_bounce():
    seen = read(from_a_postmaster(Auto_Submitted="auto-replied"))
    assert (seen.report, seen.is_automatic) == (None, True)


def test_only_a_report_about_delivery_is_a_bounce():
    bounce = report(OWN, "failed")
    receipt = bounce.replace(b"report-type=delivery-status", b"report-type=disposition-notification")
    assert read(bounce).report.kind == Kind.BOUNCE
    seen = read(receipt)
    assert (seen.report.kind, seen.is_automatic) == (Kind.READ_RECEIPT, True)


@pytest.mark.parametrize(
    "sender", ["Bounce House Rentals <ann@bounce.example>", "Post Master <postmaster@ava.example>"]
)
def test_a_person_whose_name_or_address_sounds_like_a_mail_server_is_heard(sender):
    seen = read(mail("Hello, could you look at my tap on Friday?", sender=sender))
    assert seen.report is None
