"""Replies, and what becomes of them on the way out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from conversations.models import Conversation, Message
from conversations.services.lifecycle import close, retry
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import GAPS
from conversations.services.sending import _send as send_claimed
from core.problems import Refusal
from leads.consent import lift_opt_out, opt_out
from leads.models import Lead, OptOut
from messaging.models import Dispatch
from sources.services import archive_source
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_a_conversation_of_another_lead_cannot_be_named(api, key_of, plumbing, lead_at):
    key, lead = key_of(plumbing), lead_at(plumbing)
    theirs = Conversation.objects.get(lead=lead_at(plumbing, "bob@example.net"))
    answer = api.reply(key, lead, conversation_id=theirs.public_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "conversation.notFound")


def test_an_opt_out_holds_in_its_organization_until_it_is_lifted(plumbing, dental, lead_at):
    ours, theirs = lead_at(plumbing), lead_at(dental)
    opt_out(lead=theirs, channel="email", reason=OptOut.Reason.PERSON)
    assert send_reply(lead_id=ours.pk, reply=Reply("Hello"), author=STAFF)
    with pytest.raises(Refusal, match="does not want"):
        send_reply(lead_id=theirs.pk, reply=Reply("Hello"), author=STAFF)
    lift_opt_out(lead=theirs, channel="email")
    assert send_reply(lead_id=theirs.pk, reply=Reply("Hello"), author=STAFF)


def test_an_answer_ends_the_wait_and_is_the_last_message(plumbing, lead_at):
    lead = lead_at(plumbing)
    waiting = Conversation.objects.get()
    lead_at(plumbing, message="Hello?")
    assert Conversation.objects.get().waiting_since == waiting.waiting_since
    message = send_reply(lead_id=lead.pk, reply=Reply("Hello"), author=STAFF)
    answered = Conversation.objects.get()
    assert (answered.waiting_since, answered.last_message_id) == (None, message.pk)


def test_a_message_is_sent_again_once(plumbing, lead_at):
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    Message.objects.filter(pk=message.pk).update(status="failed")
    retry(message=message, author=STAFF)
    with pytest.raises(Refusal, match="sent again already"):
        retry(message=message, author=STAFF)


def test_only_the_team_reopens_by_a_retry(plumbing, lead_at, dana):
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    Message.objects.filter(pk=message.pk).update(status="failed")
    close(conversation_id=message.conversation_id, actor=SYSTEM)
    with pytest.raises(Refusal, match="closed"):
        retry(message=message, author=Author(Message.Author.API, "CRM"))
    assert retry(message=message, author=STAFF).retry_of_id == message.pk


def test_closing_is_told_once(plumbing, lead_at, dana):
    lead_at(plumbing)
    for _ in range(2):
        close(conversation_id=Conversation.objects.get().pk, actor=SYSTEM)
    assert Event.objects.filter(type="conversation.closed").count() == 1


@pytest.fixture
def claimed(db, api, key_of, eastgate, lead_at):
    from uuid import uuid4

    from outbox.claims import Claimed

    def claim(**more):
        send_reply(lead_id=lead_at(eastgate).pk, reply=Reply("Hello"), author=STAFF)
        Dispatch.objects.update(claim=uuid4(), attempts=1)
        row = Dispatch.objects.get()
        names = [name for name in Claimed.__dataclass_fields__ if name != "claimed_at"]
        values = {**{name: getattr(row, name) for name in names}, "claimed_at": timezone.now(), **more}
        return Claimed(**values)

    return claim


@pytest.fixture
def refuse(monkeypatch):
    from messaging.failures import NotSent
    from messaging.registry import PROVIDERS

    def make(*, is_permanent):
        def send(account, message):
            raise NotSent("channel.refused", "no", is_permanent=is_permanent)

        monkeypatch.setattr(PROVIDERS["installation"], "send", send)

    return make


def test_who_opted_out_meanwhile_gets_nothing(claimed, mailoutbox):
    claimed_row = claimed()
    opt_out(lead=Lead.objects.get(), channel="email", reason=OptOut.Reason.PERSON)
    send_claimed(claimed_row)
    assert mailoutbox == []
    assert Message.objects.get(direction="outbound").error_code == "lead.optedOut"


@pytest.mark.parametrize("cut", ["connection", "source"])
def test_what_was_cut_meanwhile_sends_nothing(claimed, mailoutbox, eastgate, actor, cut):
    claimed_row = claimed()
    if cut == "source":
        archive_source(source=eastgate, actor=actor)
    else:
        eastgate.connections.update(disconnected_at=timezone.now())
    send_claimed(claimed_row)
    assert mailoutbox == []
    assert Message.objects.get(direction="outbound").error_code == "channel.notConnected"


def test_what_was_sent_is_told(claimed, mailoutbox):
    send_claimed(claimed())
    assert len(mailoutbox) == 1
    assert Event.objects.filter(type="message.sent").count() == 1


def test_what_somebody_else_has_claimed_meanwhile_is_not_recorded(claimed, mailoutbox, refuse):
    from uuid import uuid4

    claimed_row = claimed()
    Dispatch.objects.update(claim=uuid4())
    before = Dispatch.objects.values().get()
    send_claimed(claimed_row)
    assert Dispatch.objects.values().get() == before
    for is_permanent in (True, False):
        refuse(is_permanent=is_permanent)
        send_claimed(claimed_row)
        assert Dispatch.objects.values().get() == before
    assert not Event.objects.filter(type__in=["message.sent", "message.failed"]).exists()


@pytest.mark.parametrize("number", [1, 7, 8])
def test_a_temporary_refusal_is_final_after_the_last_gap(claimed, refuse, number):
    refuse(is_permanent=False)
    send_claimed(claimed(attempts=number))
    message = Message.objects.get(direction="outbound")
    if number == len(GAPS):
        assert message.status == "failed"
        assert not Dispatch.objects.exists()
    else:
        due = Dispatch.objects.get().next_attempt_at
        assert due
        assert abs(due - timezone.now() - GAPS[number]) < timedelta(seconds=10)


def test_what_killed_every_worker_is_not_tried_for_ever(claimed, mailoutbox):
    send_claimed(claimed(attempts=len(GAPS) + 1))
    assert mailoutbox == []
    assert Message.objects.get(direction="outbound").status == "failed"


def test_a_message_that_is_sent_already_is_not_sent_again(claimed, mailoutbox):
    claimed_row = claimed()
    Message.objects.filter(direction="outbound").update(status="sent")
    send_claimed(claimed_row)
    assert mailoutbox == []
    assert not Dispatch.objects.exists()
