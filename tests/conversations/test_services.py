"""What services of conversations, leads and the API write, and whom they refuse, in cases that no page shows."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.models import Membership
from api.callers import find_token_caller
from api.services import make_token
from conversations.models import Conversation, Message
from conversations.services import sending
from conversations.services.lifecycle import close
from conversations.services.new_leads import NewLead, create_lead
from conversations.services.replies import Author, Reply, send_reply
from core.ids import uuid7
from core.problems import Refusal
from integrations import services as cards
from integrations.lead_reply_api.models import ReplyKey
from leads.consent import lift_opt_out, opt_out
from leads.models import Lead, OptOut
from leads.services import Details
from messaging.models import ChannelConnection, Dispatch
from messaging.services import use
from outbox.claims import Claimed
from outbox.models import Lane
from tests.support.mails import mail, reply_address
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


# --- arrivals ---


def test_the_events_of_a_conversation_are_numbered_from_1(plumbing, lead_at, dana):
    lead_at(plumbing)
    close(conversation_id=Conversation.objects.get().pk, actor=SYSTEM)
    told = Event.objects.order_by("id").values_list("type", "sequence")
    assert list(told) == [("lead.created", 1), ("conversation.closed", 2)]


def test_a_message_goes_into_the_open_conversation_though_a_closed_one_is_newer(api, token, plumbing, lead_at, dana):
    api.create_lead(token, request_title="Older")
    api.create_lead(token, request_title="Newer")
    close(conversation_id=Conversation.objects.get(title="Newer").pk, actor=SYSTEM)
    lead_at(plumbing, message="Where am I?")
    assert Message.objects.get(content="Where am I?").conversation.title == "Older"


def test_a_lead_returns_once(api, token, plumbing):
    moments = []
    for title in ("First", "Second", "Third"):
        api.create_lead(token, request_title=title)
        moments.append(Lead.objects.get().returned_at)
    first, second, third = moments
    assert first is None
    assert second
    assert third == second


def test_an_arrival_is_the_last_message_of_its_conversation_and_lead(plumbing, lead_at):
    before = lead_at(plumbing).last_message_at
    send_reply(lead_id=Lead.objects.get().pk, reply=Reply("Coming"), author=STAFF)
    lead = lead_at(plumbing, message="Thank\nyou")
    message, conversation = Message.objects.latest("id"), Conversation.objects.get()
    assert (conversation.last_message_id, conversation.last_message_at) == (message.pk, message.created_at)
    assert (conversation.last_words, conversation.last_direction) == ("Thank you", "inbound")
    assert lead.last_message_at > before


def test_the_way_by_which_the_lead_spoke_last_is_kept(eastgate, lead_at, receive, address_of):
    lead_at(eastgate)
    conversation = Conversation.objects.get()
    assert (conversation.connection.kind, conversation.lead_connection.kind) == ("website", "website")
    receive(address_of(eastgate), mail(), to=reply_address(conversation))
    conversation.refresh_from_db()
    assert (conversation.connection.kind, conversation.lead_connection.kind) == ("email", "email")


def test_an_event_says_what_the_lead_does_not_want(plumbing, lead_at):
    opt_out(lead=lead_at(plumbing), channel="email", reason=OptOut.Reason.STOP)
    lead_at(plumbing, message="Call me")
    shown = [event.payload["lead"]["opted_out"] for event in Event.objects.order_by("id")]
    assert shown[0] == []
    assert [(row["channel"], row["reason"]) for row in shown[1]] == [("email", "stop")]


# --- intake ---


def new_lead(**more) -> NewLead:
    return NewLead("email", "Leaking tap", Details(first_name="Ava", email="ava@example.net"), **more)


def test_a_mail_to_a_team_of_nobody_is_refused_and_nothing_written(plumbing, dana):
    Membership.objects.update(removed_at=timezone.now())
    with pytest.raises(Refusal, match="“email” is not set up") as refused, transaction.atomic():
        create_lead(source=plumbing, new=new_lead(notifications=["email"]))
    assert (refused.value.status, refused.value.code) == (422, "notification.unavailable")
    assert not Lead.objects.exists()


def test_a_new_lead_with_too_much_data_is_refused_and_nothing_written(plumbing):
    data = {f"field {number}": "x" * 600 for number in range(100)}
    with pytest.raises(Refusal) as refused, transaction.atomic():
        create_lead(source=plumbing, new=new_lead(request_data=data))
    assert (refused.value.status, refused.value.code) == (422, "lead.tooLarge")
    assert not Lead.objects.exists()


# --- leads ---


def test_when_contact_was_captured_is_kept(api, token, plumbing):
    known = {"identifier_type": "unique_id", "unique_id": "A1"}
    captured = []
    for email in ("", "ava@example.net", "ava@example.net"):
        api.create_lead(token, **known, email=email)
        captured.append(Lead.objects.get().contact_captured_at)
    first, second, third = captured
    assert first is None
    assert second
    assert timezone.now() - second < timedelta(minutes=1)
    assert third == second


def test_to_allow_one_channel_again_leaves_the_others_blocked(plumbing, lead_at):
    lead = lead_at(plumbing, phone="+14155550101")
    for channel in ("email", "sms"):
        opt_out(lead=lead, channel=channel, reason=OptOut.Reason.STOP)
    lift_opt_out(lead=lead, channel="email")
    assert [opt_out.channel for opt_out in OptOut.objects.in_force()] == ["sms"]


# --- replies ---


def test_an_opt_out_holds_however_the_address_is_written(api, token, key_of, plumbing):
    api.create_lead(token, email="Ava@Example.NET")
    lead = Lead.objects.get()
    opt_out(lead=lead, channel="email", reason=OptOut.Reason.UNSUBSCRIBE)
    assert OptOut.objects.get().address == "ava@example.net"
    answer = api.reply(key_of(plumbing), lead)
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.optedOut")
    assert answer.json()["opted_out"]["reason"] == "unsubscribe"


def test_a_lead_of_the_form_is_answered_by_the_default_address_not_the_oldest(plumbing, northside, lead_at, actor):
    default = ChannelConnection.objects.create(
        organization=northside,
        source=plumbing,
        lane=Lane.objects.create(kind=Lane.Kind.CHANNEL),
        kind="email",
        provider="installation",
        name="Northside",
        local_part="northside",
    )
    use(connection=default, source=plumbing, actor=actor, as_default=True)
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    assert message.connection_id == default.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_sent_mail_whose_record_has_to_wait_is_not_sent_again(plumbing, lead_at, monkeypatch, mailoutbox, error):
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    Dispatch.objects.update(claim=uuid7(), attempts=1)
    row, values = Dispatch.objects.get(), {"claimed_at": timezone.now()}
    claimed = Claimed(
        **{field.name: values.get(field.name, getattr(row, field.name, None)) for field in fields(Claimed)}
    )
    write, errors = sending._write_sent, [error("gone")]

    def once_refused(*arguments):
        if errors:
            raise errors.pop()
        write(*arguments)

    monkeypatch.setattr(sending, "_write_sent", once_refused)
    monkeypatch.setattr(sending, "RECORD_AGAIN_SECONDS", 0)
    sending.send_claimed(claimed)
    message.refresh_from_db()
    assert (message.status, len(mailoutbox)) == ("sent", 1)
    assert not Dispatch.objects.exists()


# --- keys, tokens, repeats ---


def test_a_key_whose_overlap_has_ended_is_not_shown_any_more(dana_client, key_of, eastgate, actor):
    key_of(eastgate)
    old = ReplyKey.objects.get()
    cards.regenerate(card=eastgate.leadreplyapi, actor=actor, overlap=timedelta(hours=1))
    path = f"/sources/{eastgate.public_id}/messaging/integrations/"
    assert str(old) in dana_client.get(path).content.decode()
    ReplyKey.objects.filter(pk=old.pk).update(ends_at=timezone.now() - timedelta(seconds=1))
    assert str(old) not in dana_client.get(path).content.decode()


@pytest.fixture
def caller_with(dana, actor):
    """The caller of a token that has one scope."""

    def make(scope: str):
        creator = Membership.objects.get(user=dana)
        return find_token_caller(make_token(creator=creator, actor=actor, name="CRM", scopes=[scope])[1], None)

    return make


def test_to_write_leads_includes_to_read_them(caller_with):
    caller_with("leads:write").require_scope("leads:write")
    caller_with("leads:write").require_scope("leads:read")


@pytest.mark.parametrize(
    ("has", "needs"),
    [
        ("leads:write", "conversations:read"),
        ("leads:write", "conversations:write"),
        ("leads:write", "leads:delete"),  # there is none yet; should there be one, it is not given by this
        ("leads:read", "leads:write"),
    ],
)
def test_a_scope_gives_nothing_beyond_itself(caller_with, has, needs):
    with pytest.raises(Refusal) as refused:
        caller_with(has).require_scope(needs)
    assert (refused.value.status, refused.value.code) == (403, "token.scopeMissing")
    assert refused.value.extra == {"scope": needs}


def test_one_idempotency_key_on_replies_to_two_leads_is_two_replies(api, key_of, eastgate, lead_at):
    key, leads = key_of(eastgate), [lead_at(eastgate), lead_at(eastgate, "bob@example.net")]
    answers = [api.reply(key, lead, headers={"Idempotency_Key": "one"}) for lead in leads]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert "Idempotency-Replayed" not in answers[1]
    assert {message.lead for message in Message.objects.filter(direction="outbound")} == set(leads)
