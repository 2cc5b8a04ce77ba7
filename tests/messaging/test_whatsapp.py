"""WhatsApp by Meta's Cloud API: what goes out, what comes in, the window, and templates."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import F

from conversations.models import Conversation, Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from core.problems import Refusal
from leads.models import Lead
from messaging.base import FilledTemplate, PairLimit
from messaging.models import Dispatch, InboundCall, MessageTemplate, PairPace
from messaging.pairs import take_turn
from messaging.services import connect
from messaging.template_lists import refresh
from messaging.trying import check
from tests.support.due import claim_of
from tests.support.providers import META
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
WELCOME = {"name": "welcome", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
           "components": [{"type": "BODY", "text": "Hello {{1}}, your visit is on {{2}}."}]}  # fmt: skip


@pytest.fixture
def written(whatsapp, meta_server, read_calls) -> Lead:
    """A lead who wrote a WhatsApp message."""
    assert meta_server.bring(whatsapp, "My tap leaks.").status_code == 200
    read_calls()
    return Lead.objects.get()


@pytest.fixture
def welcome(whatsapp, meta_server) -> MessageTemplate:
    meta_server.list_templates(WELCOME)
    refresh(whatsapp)
    return MessageTemplate.objects.get()


def send(message: Message) -> Message:
    send_claimed(claim_of(message))
    message.refresh_from_db()
    return message


def answer(lead: Lead, **more) -> Message:
    return send(send_reply(lead_id=lead.pk, reply=Reply(more.pop("content", "We come today."), **more), author=STAFF))


def a_day_passes() -> None:
    """The lead's messages are a day older."""
    for message in Message.objects.filter(direction="inbound"):
        said_at = (message.said_at or message.created_at) - timedelta(hours=24)
        Message.objects.filter(pk=message.pk).update(said_at=said_at)


def test_a_message_becomes_a_lead_with_a_name_and_is_answered(written, whatsapp, meta_server):
    assert (written.name, written.phone_e164) == ("Ava Brooks", "+14155550100")
    message = answer(written)
    sent = meta_server.taken[-1]
    assert (sent["to"], sent["text"]["body"]) == ("14155550100", "We come today.")
    assert (message.status, message.external_id) == ("sent", sent["wamid"])


def test_sent_delivered_and_read_arrive_in_any_order_and_twice(written, whatsapp, meta_server, read_calls):
    message = answer(written)
    for status in ("read", "delivered", "sent", "read"):
        assert meta_server.report(whatsapp, meta_server.taken[-1], status).status_code == 200
    read_calls()
    message.refresh_from_db()
    assert message.status == "read"
    assert message.status_changes.filter(step="read").get().provider_at


def test_free_text_is_refused_a_day_after_the_leads_last_message(written, whatsapp, api, key_of, plumbing):
    a_day_passes()
    with pytest.raises(Refusal, match="Send a template"):
        answer(written)
    key = key_of(plumbing)
    refused = api.reply(key, written)
    assert (refused.status_code, refused.json()["code"]) == (422, "channel.outsideWindow")
    rows = api.get(f"messaging-channel-connections?lead_id={written.public_id}", key).json()["data"]
    reasons = {row["messaging_channel_id"]: row["reason"] for row in rows["messaging_channel_connections"]}
    assert reasons["whatsapp"] == "outside_window"


def test_what_the_business_writes_opens_no_window(written, whatsapp):
    answer(written)
    a_day_passes()
    with pytest.raises(Refusal, match="24 hours"):
        answer(written)


def test_the_messages_own_time_counts_not_when_it_came(whatsapp, meta_server, read_calls):
    meta_server.bring(whatsapp, "Late", seconds_ago=25 * 3600)
    read_calls()
    with pytest.raises(Refusal, match="24 hours"):
        answer(Lead.objects.get())


def test_the_window_is_looked_at_again_in_the_moment_of_sending(written):
    message = send_reply(lead_id=written.pk, reply=Reply("Hello"), author=STAFF)
    a_day_passes()
    assert send(message).error_code == "channel.outsideWindow"


def test_whatsapps_own_refusal_of_a_late_text_reads_the_same(written, whatsapp, meta_server, read_calls):
    meta_server.next(131047)
    assert answer(written).error_code == "channel.outsideWindow"
    message = answer(written)
    errors = [{"code": 131047, "title": "Re-engagement message"}]
    meta_server.report(whatsapp, meta_server.taken[-1], "failed", errors=errors)
    read_calls()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("failed", "channel.outsideWindow")


def test_a_template_is_sent_at_any_time_and_again(written, welcome, meta_server, whatsapp, read_calls):
    a_day_passes()
    message = answer(written, content="", template=FilledTemplate("welcome", "en_US", ["Ava", "Monday"]))
    assert message.content == "Hello Ava, your visit is on Monday."
    sent = meta_server.taken[-1]["template"]
    assert sent["components"][0]["parameters"] == [{"type": "text", "text": "Ava"}, {"type": "text", "text": "Monday"}]
    meta_server.report(whatsapp, meta_server.taken[-1], "failed", errors=[{"code": 131026, "title": "Undeliverable"}])
    read_calls()
    from conversations.services.lifecycle import retry

    assert send(retry(message=message, author=STAFF)).status == "sent"
    assert meta_server.taken[-1]["template"] == sent


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (FilledTemplate("welcome", "de", ["Ava", "Monday"]), "template.notFound"),
        (FilledTemplate("farewell", "en_US", []), "template.notFound"),
        (FilledTemplate("welcome", "en_US", ["Ava"]), "template.variables"),
    ],
)
def test_a_template_that_cannot_be_sent_is_refused(written, welcome, template, code):
    with pytest.raises(Refusal) as refused:
        answer(written, content="", template=template)
    assert refused.value.code == code


def test_the_api_takes_a_template_or_content(written, welcome, api, key_of, plumbing):
    a_day_passes()
    key, path = key_of(plumbing), f"leads/{written.public_id}/conversations/reply"
    template = {"name": "welcome", "language": "en_US", "variables": ["Ava", "Monday"]}
    made = api.post(path, key, {"template": template})
    assert made.json()["data"]["message"]["content"] == "Hello Ava, your visit is on Monday."
    for body in ({}, {"template": template, "content": "Hello"}, {"template": {"name": "welcome"}}):
        assert api.post(path, key, body).status_code == 400


def test_the_team_is_offered_a_template_when_the_window_has_closed(written, welcome, dana_client, meta_server):
    a_day_passes()
    conversation = Conversation.objects.get()
    page = dana_client.get(f"/inbox/{conversation.public_id}/").text
    assert "last message over 24 hours ago, send a template" in page
    use = f"/inbox/{conversation.public_id}/templates/{welcome.pk}/"
    assert use in page
    assert "This field is required" in dana_client.post(use, {"variable_1": "Ava"}).text
    answer = dana_client.post(use, {"variable_1": "Ava", "variable_2": "Monday"}, follow=True)
    assert "Hello Ava, your visit is on Monday." in answer.text


def test_templates_are_read_from_all_pages_and_those_that_are_gone_go(whatsapp, meta_server, actor, dana_client):
    rejected = {**WELCOME, "name": "rejected", "status": "REJECTED"}
    picture = {
        **WELCOME,
        "name": "picture",
        "components": [{"type": "HEADER", "format": "IMAGE"}, *WELCOME["components"]],
    }
    meta_server.list_templates(WELCOME, rejected, picture, {**WELCOME, "language": "de"}, {"name": "broken"})
    assert check(connection=whatsapp, actor=actor)["ok"] is True
    assert MessageTemplate.objects.count() == 4
    assert sorted(MessageTemplate.objects.sendable().values_list("language", flat=True)) == ["de", "en_US"]
    page = dana_client.get(f"/settings/channels/{whatsapp.pk}/").text
    assert "Rejected" in page
    assert "cannot be sent from here" in page
    meta_server.list_templates(WELCOME)
    refresh(whatsapp)
    assert MessageTemplate.objects.get().name == "welcome"


def test_meta_tries_the_address_first(whatsapp, client):
    path = f"/channels/{whatsapp.callback_token}/"
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": whatsapp.callback_token}
    assert client.get(path, asked).text == "1158201444"
    assert client.get(path, {**asked, "hub.verify_token": "another"}).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"entry": 5}', b"\xff\xfe", b"[" * 100_000, b"0" * 900_000]
)
def test_nothing_that_is_signed_makes_an_error(whatsapp, meta_server, read_calls, body):
    assert meta_server.call_us(whatsapp, body).status_code == 200
    read_calls()
    assert InboundCall.objects.get().outcome == "unreadable"


def test_a_wrong_signature_is_refused(whatsapp, meta_server):
    assert meta_server.call_us(whatsapp, {}, "another secret").status_code == 403
    assert not InboundCall.objects.exists()


def test_one_call_brings_for_several_numbers(whatsapp, meta_server, read_calls, actor, eastgate):
    settings = {**META, "phone_number_id": "9876543210"}
    from messaging.registry import PROVIDERS

    second = connect(
        source=eastgate,
        actor=actor,
        provider=PROVIDERS["meta"],
        name="East",
        own_address="+15550783882",
        settings=settings,
    )
    text = {"from": "14155550111", "id": "wamid.9", "timestamp": "1700000000", "type": "text", "text": {"body": "Hi"}}
    meta_server.tell(whatsapp, "9876543210", messages=[text])
    meta_server.tell(whatsapp, "5555555555", messages=[{**text, "id": "wamid.10"}])  # of nobody here
    read_calls()
    message = Message.objects.get()
    assert (message.connection_id, message.source_id) == (second.pk, eastgate.pk)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "image", "image": {"mime_type": "image/jpeg", "caption": "The tap"}}, "The tap"),
        ({"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}}, "Reacted with 👍"),
        ({"type": "button", "button": {"text": "Yes", "payload": "y"}}, "Yes"),
        ({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Monday",
          "description": "9 am"}}}, "Monday: 9 am"),
        ({"type": "location", "location": {"latitude": 1.5, "longitude": 2.5, "name": "Home"}},
         "Home\nhttps://www.openstreetmap.org/?mlat=1.5&mlon=2.5"),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+1 415"}]}]},
         "Contact: Bo, +1 415"),
        ({"type": "unsupported", "errors": [{"code": 131051}]},
         "[a message of the kind “unsupported”, which cannot be shown]"),
        ({"type": "text", "text": {"body": "a\u0000b\ud800"}}, "ab?"),
    ],
)  # fmt: skip
def test_each_kind_of_message_is_readable_text(whatsapp, meta_server, read_calls, content, words):
    row = {"from": "14155550100", "id": "wamid.1", "timestamp": "1700000000", **content}
    meta_server.tell(whatsapp, messages=[row])
    read_calls()
    assert Message.objects.get().content == words


def test_a_reaction_that_is_taken_back_says_nothing(whatsapp, meta_server, read_calls):
    row = {"from": "14155550100", "id": "wamid.1", "timestamp": "1700000000", "type": "reaction"}
    meta_server.tell(whatsapp, messages=[{**row, "reaction": {"message_id": "wamid.x"}}])
    read_calls()
    assert not Message.objects.exists()


def test_an_answer_goes_to_the_conversation_that_it_answers(written, whatsapp, meta_server, read_calls, plumbing):
    message = answer(written)
    newer = Conversation.objects.create(
        organization_id=written.organization_id, source=plumbing, lead=written, title="Roof", connection=whatsapp
    )
    row = {"from": "14155550100", "id": "wamid.2", "timestamp": "1700000000", "type": "text", "text": {"body": "Ok"}}
    meta_server.tell(whatsapp, messages=[{**row, "context": {"id": message.external_id}}])
    read_calls()
    assert Message.objects.latest("id").conversation_id == message.conversation_id != newer.pk


@pytest.mark.parametrize(("how", "words"), [("busy", "more slowly"), ("broken", "500"), (190, "access token")])
def test_what_may_pass_is_tried_again(written, meta_server, how, words):
    meta_server.next(how)
    message = answer(written)
    assert message.status == "sending"
    assert words in message.error_detail
    assert send(message).status == "sent"


@pytest.mark.parametrize("how", ["cut", "garbage"])
def test_what_nobody_confirmed_is_mended_by_a_report(written, whatsapp, meta_server, read_calls, how):
    meta_server.next(how)
    message = answer(written)
    assert (message.status, message.error_code) == ("failed", "channel.unknown")
    meta_server.report(whatsapp, meta_server.taken[-1], "delivered")
    read_calls()
    message.refresh_from_db()
    assert message.status == "delivered"
    assert Event.objects.filter(type="message.delivered").count() == 1


def test_the_check_names_the_number_and_what_is_wrong(whatsapp, actor, meta_server):
    from messaging.services import change

    assert "Northside Plumbing" in check(connection=whatsapp, actor=actor)["detail"]
    change(connection=whatsapp, actor=actor, settings={"access_token": "ended"})
    assert "access token" in check(connection=whatsapp, actor=actor)["detail"]


def test_one_person_gets_a_burst_and_then_one_message_in_six_seconds(written, meta_server):
    for number in range(45):
        assert answer(written, content=f"{number}").status == "sent"
    waits = answer(written, content="The last one.")
    assert waits.status == "queued"
    assert "one message to a person in 6 seconds" in waits.error_detail
    row = Dispatch.objects.get(pk=waits.pk)
    assert (row.claim, row.attempts, row.dialled_at) == (None, 0, None)
    assert row.next_attempt_at == PairPace.objects.get().next_at - 44 * timedelta(seconds=6)
    PairPace.objects.update(next_at=F("next_at") - timedelta(seconds=6))  # they pass
    assert send(waits).status == "sent"
    assert answer(written, content="One more.").status == "queued"
    assert len(meta_server.taken[-46:]) == 46


def test_another_person_and_another_number_have_turns_of_their_own(whatsapp):
    limit, lane, (ava, ben) = PairLimit(seconds=6, burst=1), whatsapp.lane_id, (uuid4(), uuid4())
    assert take_turn(lane, ava, limit) is None
    assert take_turn(lane, ava, limit) is not None
    assert take_turn(lane, ben, limit) is None
