"""queued -> sending -> sent -> delivered -> read, from each to failed, and never another way."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import fields

import pytest
from django.utils import timezone

from conversations.models import Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import send_claimed
from core.ids import uuid7
from messaging.models import Dispatch
from outbox.claims import Claimed
from tests.support.mails import report
from tests.support.waiting import wait_for
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
STAFF = Author(Message.Author.STAFF, "Dana")


@pytest.fixture
def queued(plumbing, lead_at) -> Message:
    return send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)


def claimed(message: Message) -> Claimed:
    """As the stream claims the row of work of a message."""
    Dispatch.objects.filter(pk=message.pk).update(claim=uuid7(), attempts=1)
    row = Dispatch.objects.get(pk=message.pk)
    values = {"claimed_at": timezone.now(), "order_key": None}
    return Claimed(**{field.name: values.get(field.name, getattr(row, field.name, None)) for field in fields(Claimed)})


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "failed"])
def test_a_message_never_goes_back(queued, mail_server, status):
    Message.objects.filter(pk=queued.pk).update(status=status)
    send_claimed(claimed(queued))
    queued.refresh_from_db()
    assert queued.status == status
    assert not mail_server.mails
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize("status", ["queued", "failed"])
def test_a_bounce_fails_only_what_was_sent(queued, receive, address_of, plumbing, status):
    Message.objects.filter(pk=queued.pk).update(status=status, error_detail="as it was")
    receive(address_of(plumbing), report(queued.public_id, "failed"))
    queued.refresh_from_db()
    assert (queued.status, queued.error_detail) == (status, "as it was")


def test_a_failure_is_shown_in_the_api_and_as_an_event(api, key_of, plumbing, queued, mail_server):
    mail_server.refusals = ["550 no such user"]
    send_claimed(claimed(queued))
    shown = api.get(f"messages/{queued.public_id}", key_of(plumbing)).json()["data"]["message"]
    assert (shown["status"], "no such user" in shown["error"]["detail"]) == ("failed", True)
    assert Event.objects.filter(type="message.failed").count() == 1


def test_nothing_is_called_sent_before_the_provider_took_it(worker, mail_server, plumbing, lead_at, monkeypatch):
    asked, may_answer = threading.Event(), threading.Event()
    take = mail_server.handle_DATA

    async def slowly(server, session, envelope):
        asked.set()
        await asyncio.get_running_loop().run_in_executor(None, may_answer.wait)
        return await take(server, session, envelope)

    monkeypatch.setattr(mail_server, "handle_DATA", slowly)
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    assert message.status == "queued"
    assert asked.wait(10)
    assert Message.objects.get(pk=message.pk).status == "sending"
    may_answer.set()
    wait_for(lambda: Message.objects.get(pk=message.pk).status == "sent")
    assert Message.objects.get(pk=message.pk).sent_at
