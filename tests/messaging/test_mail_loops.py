"""Our automatic answer and the automatic answer of a lead's mail program do not answer each other without end."""

from __future__ import annotations

import pytest

from conversations.models import Message
from leads.models import Lead
from tests.support.mails import reply_address

pytestmark = pytest.mark.django_db


def test_two_auto_responders_cannot_start_a_loop(api, token, plumbing, receive_mail):
    api.create_lead(token, notifications=["auto-reply"])
    thanks = Message.objects.get(direction="outbound")
    from conversations.services.writing import write
    from messaging.email.sending import build

    ours = build(write(thanks)).message()
    assert ours["Auto-Submitted"] == "auto-replied"
    for _ in range(3):
        kept = receive_mail(plumbing, reply_address(thanks.conversation), "Auto-Submitted: auto-replied")
        assert kept.outcome == "automatic"
    assert Message.objects.filter(direction="outbound").count() == 1


def test_a_loop_with_a_responder_that_does_not_say_so_ends(api, token, key_of, plumbing, receive_mail):
    from webhooks.models import Event

    api.create_lead(token)
    key, lead = key_of(plumbing), Lead.objects.get()
    outcomes = []
    for number in range(25):  # a CRM that answers every message, and a lead's responder without any header
        reply = api.reply(key, lead, f"Answer {number}")
        conversation = Message.objects.get(content=f"Answer {number}").conversation
        assert reply.status_code == 201
        outcomes.append(receive_mail(plumbing, reply_address(conversation), "X-Mailer: x").outcome)
    assert outcomes == ["message"] * 19 + ["automatic"] * 6
    assert Event.objects.filter(type="message.received").count() == 19


@pytest.fixture
def receive_mail(db):
    import itertools

    from conversations.services.mail import read_mail
    from messaging.email.incoming import keep

    numbers = itertools.count()

    def take(source, to: str, header: str):
        raw = f"From: ava@example.net\r\nMessage-ID: <{next(numbers)}@x>\r\n{header}\r\nSubject: Re\r\n\r\nI am away."
        connection = source.connections.get(provider="installation")
        inbound = keep(connection=connection, envelope_from="", envelope_to=to, raw=raw.encode())
        read_mail(inbound.pk)
        inbound.refresh_from_db()
        return inbound

    return take
