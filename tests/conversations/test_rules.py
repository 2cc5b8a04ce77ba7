"""The sentences of "Lead, conversation and delivery rules" of product.md that this part of the product can meet."""

from __future__ import annotations

import pytest

from conversations.models import Conversation, Message
from conversations.services.lifecycle import close, retry
from conversations.services.replies import Author, Reply, send_reply
from core.problems import Refusal
from integrations import services as cards
from leads.models import Lead
from messaging.models import ChannelConnection
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"
STAFF = Author(Message.Author.STAFF, "Dana")


@pytest.fixture
def told(webhook_at, plumbing):
    """What the source's endpoint hears of, in order: (type, message)."""

    def types(source=plumbing) -> list[str]:
        return list(
            Delivery.objects.filter(lane=source.restwebhook.lane_id).order_by("id").values_list("event_type", flat=True)
        )

    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    return types


# --- Who is who ---


def test_the_api_finds_a_lead_only_by_the_declared_identifier(api, token, plumbing):
    api.create_lead(token, unique_id="A1", phone="+14155550101")
    other = {"identifier_type": "unique_id", "unique_id": "B2"}
    answer = api.create_lead(token, **other, email="", phone="+14155550101")
    assert (answer.status_code, answer.json()["created"]) == (201, True)
    assert api.create_lead(token, **other | {"unique_id": "C3"}).json()["code"] == "lead.identifierConflict"


def test_empty_fields_are_filled_and_identity_is_never_overwritten(api, token, plumbing):
    api.create_lead(token)
    answer = api.create_lead(token, first_name="Eva", last_name="Brooks", phone="+14155550101", unique_id="A1")
    assert answer.json()["created"] is False
    api.create_lead(token, last_name="Other", phone="+14155550199", unique_id="B2")
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name, lead.unique_id) == ("Ava", "Brooks", "A1")
    assert lead.phone_e164 == "+14155550101"


def test_request_data_overwrites_custom_fields(api, token, plumbing):
    api.create_lead(token, request_data={"budget": "100", "room": "kitchen"})
    api.create_lead(token, request_data={"budget": "200"})
    assert Lead.objects.get().custom_fields == {"budget": "200", "room": "kitchen"}


def test_an_identifier_of_another_lead_is_a_conflict_and_nothing_is_written(api, token, plumbing):
    api.create_lead(token, email="first@example.net", unique_id="A1")
    first = Lead.objects.get()
    answer = api.create_lead(token, email="second@example.net", unique_id="A1")
    body = answer.json()
    assert (answer.status_code, body["code"], body["lead_id"]) == (409, "lead.identifierConflict", first.public_id)
    assert (Lead.objects.count(), Message.objects.count()) == (1, 1)


def test_filling_that_would_take_anothers_email_is_a_conflict(api, token, plumbing):
    api.create_lead(token, email="first@example.net")
    api.create_lead(token, identifier_type="unique_id", unique_id="B2", email="")
    answer = api.create_lead(token, identifier_type="unique_id", unique_id="B2", email="first@example.net")
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.identifierConflict")


def test_phone_is_never_unique(lead_at, plumbing):
    lead_at(plumbing, "a@example.net", phone="+14155550101")
    lead_at(plumbing, "b@example.net", phone="+14155550101")
    assert Lead.objects.count() == 2


def test_on_a_channel_the_senders_address_decides(lead_at, plumbing):
    first = lead_at(plumbing)
    assert lead_at(plumbing, "AVA@example.net", message="Again") == first


def test_a_phone_number_without_email_finds_the_lead_last_active_with_it(lead_at, plumbing):
    first = lead_at(plumbing, "a@example.net", phone="+1 415 555 0101")
    last = lead_at(plumbing, "b@example.net", phone="+1 415 555 0101")
    assert lead_at(plumbing, "", phone="(415) 555-0101", message="Again").pk == last.pk
    lead_at(plumbing, "a@example.net", message="I am active again")
    lead_at(plumbing, "", phone="+14155550101", message="Once more")
    assert Message.objects.latest("id").lead == first
    assert Lead.objects.count() == 2


def test_email_is_unique_per_source_not_per_organization(lead_at, eastgate, westgate):
    assert lead_at(eastgate) != lead_at(westgate)


def test_a_phone_that_cannot_be_parsed_is_kept_as_written(api, token, plumbing):
    assert api.create_lead(token, phone="ask for Bob").status_code == 201
    lead = Lead.objects.get()
    assert (lead.phone, lead.phone_e164) == ("ask for Bob", "")


# --- Where a reply goes ---


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
    close(conversation_id=Conversation.objects.get().pk, by=dana)
    answer = api.reply(key_of(plumbing), lead)
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation.closed")


def test_a_closed_one_named_is_conversation_closed(api, token, key_of, plumbing, dana):
    api.create_lead(token, request_title="Old")
    old = Conversation.objects.get()
    close(conversation_id=old.pk, by=dana)
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
    foreign = eastgate.connections.get(kind="email")
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
    close(conversation_id=conversation.pk, by=dana)
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


# --- Events for an arrival ---


def test_a_first_contact_is_lead_created_alone_and_later_ones_are_message_received(told, lead_at, plumbing):
    lead_at(plumbing)
    lead_at(plumbing, message="Second")
    assert told() == ["lead.created", "message.received"]


def test_a_returning_lead_is_lead_created_with_is_new_false(told, api, token, plumbing):
    api.create_lead(token)
    api.create_lead(token, request_title="Second")
    assert told() == ["lead.created", "lead.created"]
    assert [event.payload["lead"]["is_new"] for event in Event.objects.order_by("id")] == [True, False]


def test_with_create_only_for_new_leads_a_returning_lead_is_message_received(told, api, token, plumbing, actor):
    cards.configure(card=plumbing.restwebhook, actor=actor, only_new_leads=True)
    api.create_lead(token)
    api.create_lead(token, request_title="Second")
    assert told() == ["lead.created", "message.received"]


def test_a_lead_that_is_not_ready_sends_nothing_then_one_lead_created(told, api, token, plumbing, actor):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    unready = {"identifier_type": "unique_id", "unique_id": "A1"}
    api.create_lead(token, **unready, email="")
    api.create_lead(token, **unready, email="", request_title="Still nobody")
    assert told() == []
    api.create_lead(token, **unready, email="ava@example.net", request_title="Here I am")
    api.create_lead(token, **unready, request_title="And again")
    assert told() == ["lead.created", "lead.created"]
    assert Lead.objects.get().not_announced_to == []


def test_an_option_switched_off_meanwhile_still_announces_the_lead_once(told, plumbing, actor, lead_at, api, token):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "", message="Nobody knows me")
    assert told() == []
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=False)
    conversation = Conversation.objects.get()
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Identified

    for text in ("First", "Second"):
        lead = Lead.objects.get()
        arrive(source=plumbing, who=Identified(lead), words=InboundContent(text, "x"), into=conversation)
    assert told() == ["lead.created", "message.received"]


def test_contact_captured_comes_only_when_contact_arrives_later(told, plumbing, api, token):
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Details, identify_by

    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    details = Details(unique_id="A1", email="ava@example.net")
    who = identify_by("unique_id", source=plumbing, details=details)
    arrive(source=plumbing, who=who, words=InboundContent("My address is ava@example.net", "x"))
    assert told() == ["lead.created", "lead.contact_captured"]


def test_who_asked_for_messages_only_gets_each_message_once(told, plumbing, api, token, actor):
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Details, identify_by

    cards.configure(card=plumbing.restwebhook, actor=actor, event_types=["message.received"])
    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    who = identify_by("unique_id", source=plumbing, details=Details(unique_id="A1", email="ava@example.net"))
    arrive(source=plumbing, who=who, words=InboundContent("Here it is", "x"))
    assert told() == ["message.received", "message.received"]


def test_each_cards_options_shape_what_passes_through_that_card_alone(told, api, key_of, plumbing, actor, lead_at):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "")
    assert told() == []
    assert len(api.get("leads", key_of(plumbing)).json()["data"]["leads"]) == 1


# --- Notes ---


def test_a_system_message_is_a_note_and_left_out_unless_asked_for(api, token, key_of, plumbing):
    api.create_lead(token, system_message="VIP, see https://crm.example/1")
    conversation = Conversation.objects.get()
    key = key_of(plumbing)
    plain = api.get(f"conversations/{conversation.public_id}/messages", key).json()["data"]["messages"]
    noted = api.get(f"conversations/{conversation.public_id}/messages?include=notes", key).json()["data"]["messages"]
    assert [message["kind"] for message in plain] == ["message"]
    assert sorted(message["kind"] for message in noted) == ["message", "note"]
