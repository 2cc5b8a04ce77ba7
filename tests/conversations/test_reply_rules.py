"""Which conversation a reply goes to, when it is refused, and what becomes of it."""

from __future__ import annotations

import pytest

from accounts.actors import SYSTEM
from conversations.models import Conversation, Message
from conversations.services.lifecycle import close, retry
from conversations.services.replies import Author, Reply, send_reply
from core.problems import Refusal
from leads.models import Lead
from messaging.models import ChannelConnection

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_a_reply_goes_to_the_newest_open_conversation(api, token, key_of, plumbing):
    api.create_lead(token, request_title="Old")
    api.create_lead(token, request_title="New")
    message = api.reply(key_of(plumbing), Lead.objects.get()).json()["data"]["message"]
    assert message["conversation_id"] == Conversation.objects.get(title="New").public_id


def test_a_named_open_conversation_is_answered(api, token, key_of, plumbing):
    api.create_lead(token, request_title="Old")
    api.create_lead(token, request_title="New")
    old = Conversation.objects.get(title="Old")
    message = api.reply(key_of(plumbing), Lead.objects.get(), conversation_id=old.public_id).json()["data"]["message"]
    assert message["conversation_id"] == old.public_id


def test_enable_off_refuses_api_tokens_too(api, plumbing, lead_at, key_of, northside, dana, actor):
    from accounts.models import Membership
    from api.services import make_token

    creator = Membership.objects.get(user=dana)
    key = make_token(creator=creator, actor=actor, name="Bot", scopes=["conversations:write"])[1]
    lead = lead_at(plumbing)
    answer = api.reply(key, lead)
    assert (answer.status_code, answer.json()["code"]) == (403, "integration.disabled")
    key_of(plumbing)
    assert api.reply(key, lead).status_code == 201


def test_none_open_is_conversation_closed(api, key_of, plumbing, lead_at, dana):
    lead = lead_at(plumbing)
    close(conversation_id=Conversation.objects.get().pk, actor=SYSTEM)
    answer = api.reply(key_of(plumbing), lead)
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation.closed")


def test_a_closed_one_named_is_conversation_closed(api, token, key_of, plumbing, dana):
    api.create_lead(token, request_title="Old")
    old = Conversation.objects.get()
    close(conversation_id=old.pk, actor=SYSTEM)
    api.create_lead(token, request_title="New")
    answer = api.reply(key_of(plumbing), Lead.objects.get(), conversation_id=old.public_id)
    assert answer.json()["code"] == "conversation.closed"


def test_a_lead_of_the_form_is_answered_by_email(api, key_of, plumbing, lead_at):
    message = api.reply(key_of(plumbing), lead_at(plumbing)).json()["data"]["message"]
    connection = ChannelConnection.objects.get(pk=message["messaging_channel_connection_id"])
    assert connection.kind == "email"


def test_a_connection_that_is_down_is_not_connected_never_a_silent_change(api, key_of, plumbing, lead_at):
    from django.utils import timezone

    lead = lead_at(plumbing)
    plumbing.connections.filter(kind="email").update(disconnected_at=timezone.now())
    answer = api.reply(key_of(plumbing), lead)
    assert (answer.status_code, answer.json()["code"]) == (422, "channel.notConnected")


def test_a_lead_without_an_address_is_channel_unavailable(api, key_of, plumbing, lead_at):
    answer = api.reply(key_of(plumbing), lead_at(plumbing, "", phone="+14155550101"))
    assert (answer.status_code, answer.json()["code"]) == (422, "channel.unavailable")


def test_the_form_itself_cannot_be_answered_on(api, key_of, plumbing, lead_at):
    website = plumbing.connections.get(kind="website")
    answer = api.reply(key_of(plumbing), lead_at(plumbing), messaging_channel_connection_id=website.pk)
    assert (answer.status_code, answer.json()["code"]) == (422, "channel.unavailable")


def test_a_connection_of_another_source_reads_like_none(api, key_of, plumbing, eastgate, lead_at):
    foreign = eastgate.connections.get(provider="installation")
    answer = api.reply(key_of(plumbing), lead_at(plumbing), messaging_channel_connection_id=foreign.pk)
    assert answer.status_code == 404


def test_a_newer_message_refuses_an_answer_to_an_older_one(api, key_of, plumbing, lead_at):
    lead = lead_at(plumbing)
    first = Message.objects.get()
    lead_at(plumbing, message="One more thing")
    answer = api.reply(key_of(plumbing), lead, if_last_message_id=first.public_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation.moved")


def test_the_screens_of_the_team_are_not_affected_by_enable(plumbing, lead_at):
    assert send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF).status == "queued"


# --- Open and closed ---


def test_staff_writing_in_a_closed_conversation_reopens_it(plumbing, lead_at, dana):
    lead = lead_at(plumbing)
    conversation = Conversation.objects.get()
    close(conversation_id=conversation.pk, actor=SYSTEM)
    send_reply(lead_id=lead.pk, reply=Reply("Hello", conversation.pk, reopens=True), author=STAFF)
    conversation.refresh_from_db()
    assert conversation.is_open


# --- Message states ---


def test_retry_makes_a_new_message_with_retry_of(api, key_of, plumbing, lead_at):
    lead, key = lead_at(plumbing), key_of(plumbing)
    sent = api.reply(key, lead).json()["data"]["message"]
    refused = api.post(f"messages/{sent['id']}/retry", key)
    assert (refused.status_code, refused.json()["code"]) == (409, "message.notFailed")
    Message.objects.filter(direction="outbound").update(status="failed")
    again = api.post(f"messages/{sent['id']}/retry", key)
    assert again.status_code == 201
    assert again.json()["data"]["message"]["retry_of"] == sent["id"]


def test_only_a_message_that_failed_can_be_sent_again(plumbing, lead_at):
    message = send_reply(lead_id=lead_at(plumbing).pk, reply=Reply("Hello"), author=STAFF)
    with pytest.raises(Refusal, match="Only a message that failed"):
        retry(message=message, author=STAFF)


# --- Notes ---


def test_a_system_message_is_a_note_and_left_out_unless_asked_for(api, token, key_of, plumbing):
    api.create_lead(token, system_message="VIP, see https://crm.example/1")
    conversation = Conversation.objects.get()
    key = key_of(plumbing)
    plain = api.get(f"conversations/{conversation.public_id}/messages", key).json()["data"]["messages"]
    noted = api.get(f"conversations/{conversation.public_id}/messages?include=notes", key).json()["data"]["messages"]
    assert [message["kind"] for message in plain] == ["message"]
    assert sorted(message["kind"] for message in noted) == ["message", "note"]
