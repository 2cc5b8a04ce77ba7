"""The sentences of "Lead, conversation and delivery rules" of product.md that this part of the product can meet."""

from __future__ import annotations

import pytest

from conversations.models import Conversation, Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.states import close, retry
from integrations.models import ChannelConnection, Delivery, Event
from integrations.problems import Refusal
from integrations.services import cards
from leads.models import Lead

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
    api.create_lead(token, unique_id="A1")
    answer = api.create_lead(token, identifier_type="unique_id", unique_id="B2", email="")
    assert (answer.status_code, answer.json()["created"]) == (201, True)


def test_empty_fields_are_filled_and_identity_is_never_overwritten(api, token, plumbing):
    api.create_lead(token)
    answer = api.create_lead(token, first_name="Eva", last_name="Brooks", phone="+14155550101", unique_id="A1")
    assert answer.json()["created"] is False
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
    first = lead_at(plumbing, "", phone="+1 415 555 0101")
    assert lead_at(plumbing, "", phone="(415) 555-0101", message="Again") == first


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
    assert Lead.objects.get().withheld_from == []


def test_an_option_switched_off_meanwhile_still_announces_the_lead_once(told, plumbing, actor, lead_at, api, token):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "", message="Nobody knows me")
    assert told() == []
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=False)
    conversation = Conversation.objects.get()
    from conversations.services.arrivals import Words, arrive
    from leads.services import Identified

    for text in ("First", "Second"):
        lead = Lead.objects.get()
        arrive(source=plumbing, who=Identified(lead), words=Words(text, "x"), into=conversation)
    assert told() == ["lead.created", "message.received"]


def test_contact_captured_comes_only_when_contact_arrives_later(told, plumbing, api, token):
    from conversations.services.arrivals import Words, arrive
    from leads.services import Details, identify_by

    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    details = Details(unique_id="A1", email="ava@example.net")
    who = identify_by("unique_id", source=plumbing, details=details)
    arrive(source=plumbing, who=who, words=Words("My address is ava@example.net", "x"))
    assert told() == ["lead.created", "lead.contact_captured"]


def test_who_asked_for_messages_only_gets_each_message_once(told, plumbing, api, token, actor):
    from conversations.services.arrivals import Words, arrive
    from leads.services import Details, identify_by

    cards.configure(card=plumbing.restwebhook, actor=actor, event_types=["message.received"])
    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    who = identify_by("unique_id", source=plumbing, details=Details(unique_id="A1", email="ava@example.net"))
    arrive(source=plumbing, who=who, words=Words("Here it is", "x"))
    assert told() == ["message.received", "message.received"]


def test_each_cards_options_shape_what_passes_through_that_card_alone(told, api, key_of, plumbing, actor, lead_at):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "")
    assert told() == []
    assert len(api.get("leads", key_of(plumbing)).json()["data"]["leads"]) == 1


# --- options of the Lead Reply API card ---


def test_a_lead_that_is_not_ready_is_not_listed_and_not_repliable(api, key_of, plumbing, actor, lead_at):
    key = key_of(plumbing)
    cards.configure(card=plumbing.leadreplyapi, actor=actor, needs_contact=True)
    lead = lead_at(plumbing, "")
    assert api.get("leads", key).json()["data"]["leads"] == []
    assert api.get(f"leads/{lead.public_id}", key).json()["data"]["lead"]["is_ready"] is False
    answer = api.reply(key, lead)
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.notReady")


def test_with_create_only_for_new_leads_a_returning_lead_is_not_listed(api, token, key_of, plumbing, actor):
    key = key_of(plumbing)
    cards.configure(card=plumbing.leadreplyapi, actor=actor, only_new_leads=True)
    api.create_lead(token)
    assert len(api.get("leads", key).json()["data"]["leads"]) == 1
    api.create_lead(token, request_title="Second")
    assert api.get("leads", key).json()["data"]["leads"] == []


# --- Notes ---


def test_a_system_message_is_a_note_and_left_out_unless_asked_for(api, token, key_of, plumbing):
    api.create_lead(token, system_message="VIP, see https://crm.example/1")
    conversation = Conversation.objects.get()
    key = key_of(plumbing)
    plain = api.get(f"conversations/{conversation.public_id}/messages", key).json()["data"]["messages"]
    noted = api.get(f"conversations/{conversation.public_id}/messages?include=notes", key).json()["data"]["messages"]
    assert [message["kind"] for message in plain] == ["message"]
    assert sorted(message["kind"] for message in noted) == ["message", "note"]


# --- POST /v1/leads ---


def test_the_first_message_lists_the_data_else_it_is_the_title(api, token, plumbing):
    api.create_lead(token, message_data={"Room": "Kitchen"}, request_data={"Budget": 100})
    api.create_lead(token, email="b@example.net")
    assert list(Message.objects.order_by("id").values_list("content", flat=True)) == [
        "Room: Kitchen\nBudget: 100",
        "Leaking tap",
    ]


def test_auto_reply_is_queued_to_the_lead(api, token, plumbing):
    api.create_lead(token, notifications="auto-reply")
    thanks = Message.objects.get(direction="outbound")
    assert (thanks.author, thanks.status) == ("automation", "queued")


def test_a_notification_whose_channel_is_not_set_up_is_refused_and_nothing_written(api, token, plumbing):
    answer = api.create_lead(token, notifications=["sms"])
    assert (answer.status_code, answer.json()["code"]) == (422, "notification.unavailable")
    assert not Lead.objects.exists()


def test_a_source_is_named_by_id_or_external_id(api, token, plumbing, eastgate):
    assert api.create_lead(token).status_code == 400
    assert api.create_lead(token, source_id=eastgate.public_id).status_code == 201
    assert api.create_lead(token, business_id="north").status_code == 201
    assert api.create_lead(token, source_id="src_nobody").status_code == 404
    assert api.create_lead(token, headers={"X_On_Behalf_Of": "north"}).status_code == 201
    same = api.create_lead(token, business_id="north", source_id=plumbing.public_id)
    other = api.create_lead(token, business_id="north", headers={"X_On_Behalf_Of": eastgate.public_id})
    assert (same.status_code, other.status_code) == (201, 400)


def test_the_team_is_mailed(api, token, plumbing, dana, mailoutbox):
    from conversations.tasks import HANDLERS
    from integrations import jobs
    from integrations.models import Job

    api.create_lead(token, notifications=["email"])
    Job.objects.update(next_attempt_at=LONG_AGO)  # inside a test's transaction the clock stands still
    jobs.run_due(HANDLERS)
    [mail] = mailoutbox
    assert mail.to == ["dana@example.com"]
    assert mail.subject == "New lead at Northside Plumbing: Ava"


# --- Repeats ---


@pytest.fixture
def post_form(client, plumbing):
    from urllib.parse import urlencode

    def post(source=plumbing, headers=None, **fields):
        path = f"/forms/{source.public_id}"
        return client.post(
            path, urlencode(fields), content_type="application/x-www-form-urlencoded", headers=headers or {}
        )

    return post


def test_the_same_form_twice_is_one_message(post_form):
    body = {"name": "Ava Brooks", "email": "ava@example.net", "message": "Hello", "_nonce": "n-1"}
    assert [post_form(**body).status_code for _ in range(2)] == [303, 303]
    assert Message.objects.count() == 1


def test_the_form_keeps_fields_that_it_does_not_know(post_form):
    post_form(name="Ava Brooks", email="ava@example.net", message="Hello", roof="flat")
    assert Message.objects.get().content == "Hello\n\nroof: flat"
    assert (Lead.objects.get().first_name, Lead.objects.get().last_name) == ("Ava", "Brooks")


def test_a_robot_in_the_honeypot_reads_thanks_and_nothing_is_kept(post_form):
    assert post_form(name="Bot", email="bot@example.net", _website="http://spam.example").status_code == 303
    assert not Lead.objects.exists()


def test_only_allowed_websites_may_post_the_form(post_form, plumbing):
    plumbing.form_origins = ["https://north.example"]
    plumbing.save()
    assert post_form(name="Ava", headers={"Origin": "https://evil.example"}).status_code == 403
    assert post_form(name="Ava", headers={"Origin": "https://north.example"}).status_code == 303


def test_the_form_redirects_only_to_allowed_websites(post_form, plumbing):
    assert post_form(name="Ava", _next="https://evil.example/")["Location"].startswith("/forms/")
    plumbing.form_origins = ["https://north.example"]
    plumbing.save()
    origin = {"Origin": "https://north.example"}
    answer = post_form(name="Bob", _next="https://north.example/thanks", headers=origin)
    assert answer["Location"] == "https://north.example/thanks"


def test_the_form_is_throttled_per_address(post_form):
    answers = [post_form(name=f"Ava {number}").status_code for number in range(21)]
    assert answers == [303] * 20 + [429]


def test_the_same_body_from_the_same_address_within_a_minute_is_one(post_form):
    from integrations.models import OnceUsed

    post_form(name="Ava", message="Hello")
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 1
    OnceUsed.objects.update(expires_at=LONG_AGO)
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 2
