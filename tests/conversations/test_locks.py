"""Which rows are locked while something is done, as another connection sees it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import sql

from conversations.models import Conversation, Message
from conversations.services import mail as taking
from conversations.services.events import publish_conversation_event
from conversations.services.lifecycle import retry
from conversations.services.replies import Author, Reply, send_reply
from integrations import services as cards
from leads.models import Lead
from leads.services import Details, identify_by, identify_by_channel
from messaging.email import incoming
from outbox.database import connect, hang_up
from tests.support.mails import mail
from webhooks.event_types import EventType
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)
URL = "http://127.0.0.1:9/hook"
STAFF = Author(Message.Author.STAFF, "Dana")
PHONE = "+14155550101"


def is_locked(table: str, pk, strength: str) -> bool:
    """True when another connection could not lock the row so now."""
    query = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR {} NOWAIT").format(sql.Identifier(table), sql.SQL(strength))

    async def look():
        other = await connect()
        try:
            cursor = await other.execute(query, [pk])
            assert cursor.rowcount == 1, "there is no such row, or nobody else sees it yet"
        except psycopg.errors.LockNotAvailable:
            return True
        finally:
            await hang_up(other)
        return False

    return asyncio.run(look())


@pytest.fixture
def beside():
    """Start something on a connection of its own."""
    with ThreadPoolExecutor(1) as pool:

        def work(what, *arguments, **named):
            try:
                return what(*arguments, **named)
            finally:
                connection.close()

        yield lambda *arguments, **named: pool.submit(work, *arguments, **named)


# --- the outbox ---


def test_whoever_publishes_keeps_the_card_from_being_disconnected(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    with transaction.atomic():
        lead_at(eastgate)
        assert is_locked("webhooks_restwebhook", eastgate.restwebhook.pk, "UPDATE")
    assert not is_locked("webhooks_restwebhook", eastgate.restwebhook.pk, "UPDATE")


def test_two_may_publish_for_one_card_at_a_time(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    with transaction.atomic():
        lead_at(eastgate)
        assert not is_locked("webhooks_restwebhook", eastgate.restwebhook.pk, "KEY SHARE")


def test_a_delivery_is_not_ended_while_the_next_one_is_written_behind_it(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    first = Delivery.objects.get()
    with transaction.atomic():
        lead_at(eastgate, message="Second")
        assert is_locked("webhooks_delivery", first.pk, "UPDATE")
        assert not is_locked("webhooks_delivery", first.pk, "NO KEY UPDATE")  # it may be claimed


# --- cards ---


def test_a_card_is_locked_while_somebody_changes_it(eastgate):
    with transaction.atomic():
        cards.locked(eastgate.restwebhook)
        assert is_locked("webhooks_restwebhook", eastgate.restwebhook.pk, "KEY SHARE")


def test_the_parents_card_is_locked_with_its_locations(plumbing, eastgate):
    with transaction.atomic():
        cards.locked(eastgate.restwebhook)
        assert is_locked("webhooks_restwebhook", plumbing.restwebhook.pk, "KEY SHARE")


# --- conversations and messages ---


def test_a_conversation_is_locked_before_it_is_asked_whether_it_may_be_answered(plumbing, lead_at):
    lead = lead_at(plumbing)
    seen = []

    def allow(recipient):
        seen.append(is_locked("conversations_conversation", recipient.conversation_id, "NO KEY UPDATE"))

    send_reply(lead_id=lead.pk, reply=Reply("Hello"), author=STAFF, allow=allow)
    assert seen == [True]


def test_a_failed_message_is_locked_while_it_is_sent_again(plumbing, lead_at):
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    Message.objects.filter(pk=message.pk).update(status="failed")
    with transaction.atomic():
        retry(message=message, author=STAFF)
        assert is_locked("conversations_message", message.pk, "NO KEY UPDATE")


def test_an_arrival_beside_another_event_loses_and_doubles_no_number(plumbing, lead_at, beside):
    lead_at(plumbing)
    conversation = Conversation.objects.get()
    with transaction.atomic():
        publish_conversation_event(EventType.CONVERSATION_OPENED, conversation)
        arrival = beside(lead_at, plumbing, message="Second")
        time.sleep(0.5)
        assert not arrival.done()
    arrival.result(10)
    assert sorted(Event.objects.values_list("sequence", flat=True)) == [1, 2, 3]
    assert Conversation.objects.get().sequence == 3


def test_a_kept_mail_is_locked_while_a_message_is_made_of_it(eastgate, address_of, monkeypatch):
    inbound = incoming.keep(connection=address_of(eastgate), envelope_from="", envelope_to="", raw=mail())
    take, seen = taking._take, []

    def looked_at(row, read, sender, files):
        seen.append(is_locked("messaging_inboundmail", row.pk, "NO KEY UPDATE"))
        return take(row, read, sender, files)

    monkeypatch.setattr(taking, "_take", looked_at)
    taking.read_mail(inbound.pk)
    assert seen == [True]


# --- leads ---


def test_two_messages_from_one_new_phone_number_at_once_are_one_lead(plumbing, lead_at, beside):
    with transaction.atomic():
        lead_at(plumbing, "", phone=PHONE)
        other = beside(lead_at, plumbing, "", phone=PHONE, message="Second")
        time.sleep(0.5)
        assert not other.done()
    other.result(10)
    assert Lead.objects.count() == 1
    assert Message.objects.count() == 2


@pytest.mark.parametrize("identifier", ["email", "unique_id"])
def test_two_calls_for_one_new_lead_at_once_find_one_lead(plumbing, beside, identifier):
    details = Details(first_name="Ava", **{identifier: "ava@example.net"})

    def identify():
        with transaction.atomic():
            return identify_by(identifier, source=plumbing, details=details)

    with transaction.atomic():
        first = identify()
        second = beside(identify)
        time.sleep(0.5)
        assert not second.done()
    assert (first.is_created, second.result(10).is_created) == (True, False)


@pytest.mark.parametrize("told", [{"email": "ava@example.net"}, {"phone": PHONE}], ids=["email", "phone"])
def test_a_lead_found_by_its_address_is_locked(plumbing, lead_at, told):
    lead = lead_at(plumbing, phone=PHONE)
    with transaction.atomic():
        assert identify_by_channel(source=plumbing, details=Details(**told)).lead == lead
        assert is_locked("leads_lead", lead.pk, "NO KEY UPDATE")


def test_a_lead_found_by_the_api_is_locked(plumbing, lead_at):
    lead = lead_at(plumbing)
    with transaction.atomic():
        assert identify_by("email", source=plumbing, details=Details(email="ava@example.net")).lead == lead
        assert is_locked("leads_lead", lead.pk, "NO KEY UPDATE")
