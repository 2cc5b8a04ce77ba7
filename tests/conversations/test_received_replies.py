"""What leads mean by their answers: by rules, by people, in the API, on the page."""

from __future__ import annotations

import pytest

from accounts.models import Membership
from api.services import make_token
from conversations.models import Classification, Conversation, Message, ReceivedReply
from leads.models import Lead, OptOut
from tests.support.mails import mail, reply_address, report
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(dana, actor) -> str:
    """A token that reads replies and corrects them."""
    creator = Membership.objects.get(user=dana)
    return make_token(creator=creator, actor=actor, name="CRM", scopes=["replies:read", "conversations:write"])[1]


@pytest.fixture
def answered(api, key_of, eastgate, lead_at) -> Conversation:
    """A conversation in which the lead got an answer."""
    lead_at(eastgate, "ava@example.net")
    api.reply(key_of(eastgate), Lead.objects.get())
    Message.objects.filter(direction="outbound").update(status="sent")
    return Conversation.objects.get()


@pytest.fixture
def write_back(receive, address_of, eastgate, answered):
    """The lead answers by mail."""

    def write(text: str, **headers: str):
        count = Message.objects.count()
        headers.setdefault("Message_ID", f"<{count}@x>")
        receive(address_of(eastgate), mail(text, **headers), to=reply_address(answered))
        return ReceivedReply.objects.select_related("message").order_by("-id").first()

    return write


def test_the_first_message_of_a_lead_is_no_reply(lead_at, eastgate):
    lead_at(eastgate, message="I am interested in a new boiler.")
    assert not ReceivedReply.objects.exists()
    assert Message.objects.get().label == ""


def test_an_answer_has_a_meaning_everywhere_that_it_is_shown(write_back, api, reader, answered):
    reply = write_back("Yes, I am interested. How much is it?")
    assert (reply.label, reply.message.label) == ("interested", "interested")
    said = reply.classifications.get()
    assert (said.by, said.why, said.confidence) == ("rule", "yes,", 0.8)
    answered.refresh_from_db()
    assert answered.label == "interested"
    [shown] = api.get("replies", reader).json()
    assert shown == {
        "id": reply.public_id,
        "email": "ava@example.net",
        "campaignId": None,
        "classification": "interested",
        "receivedAt": shown["receivedAt"],
        "threadSnippet": "Yes, I am interested. How much is it?",
        "leadId": reply.lead.public_id,
        "conversationId": answered.public_id,
        "channel": "email",
    }
    events = list(Event.objects.order_by("id").values_list("type", flat=True))
    assert events == ["lead.created", "message.received", "reply.received"]
    told = Event.objects.get(type="reply.received").payload
    assert told["message"]["classification"] == "interested"


def test_an_automatic_answer_says_when_somebody_is_back(write_back):
    reply = write_back("I am out of the office until 24 December.", Auto_Submitted="auto-replied")
    assert (reply.label, reply.message.is_automatic) == ("out_of_office", True)
    back = reply.classifications.get().returns_on
    assert (back.month, back.day) == (12, 24)
    assert not Event.objects.filter(type="message.received").exists(), "nobody's program answers a program"
    assert Event.objects.filter(type="reply.received").count() == 1


def test_a_message_that_comes_back_is_a_reply_of_its_mail_server(receive, address_of, eastgate, answered, api, reader):
    sent = Message.objects.get(direction="outbound")
    for _ in range(2):
        receive(address_of(eastgate), report(sent.public_id, "failed"))
    [shown] = api.get("replies?classification=bounce", reader).json()
    assert (shown["classification"], shown["threadSnippet"]) == ("bounce", "5.1.1 550 user unknown")
    refused = api.post(f"replies/{shown['id']}/classification", reader, {"classification": "interested"})
    assert (refused.status_code, refused.json()["code"]) == (409, "reply.isBounce")


def test_a_persons_correction_wins_and_the_rules_word_is_kept(write_back, api, reader, answered):
    reply = write_back("Not now.")
    assert reply.label != "interested"
    path = f"replies/{reply.public_id}/classification"
    answer = api.post(path, reader, {"classification": "interested"}, Idempotency_Key="once")
    again = api.post(path, reader, {"classification": "interested"}, Idempotency_Key="once")
    assert answer.json()["data"]["reply"]["classification"] == "interested"
    assert again.json() == answer.json()
    assert [said.by for said in reply.classifications.all()] == ["rule", "person"]
    assert Message.objects.get(pk=reply.message_id).label == "interested"
    assert Event.objects.filter(type="reply.classified").count() == 1
    answered.refresh_from_db()
    assert answered.label == "interested"


def test_an_older_replys_correction_does_not_change_what_the_conversation_says(write_back, dana_client, answered):
    first, _ = write_back("Not interested."), write_back("Well, tell me more about it.")
    path = f"/messages/{first.message.public_id}/meaning/"
    assert dana_client.post(path, {"label": "unsubscribe"}).status_code == 302
    assert dana_client.post(path, {"label": "bounce"}).status_code == 404
    answered.refresh_from_db()
    assert answered.label == "interested"
    assert ReceivedReply.objects.get(pk=first.pk).label == "unsubscribe"


def test_the_page_says_what_is_meant_why_and_who_says_so(write_back, dana_client, answered):
    reply = write_back("Please unsubscribe me from your list.")
    page = dana_client.get(f"/inbox/{answered.public_id}/").content.decode()
    assert "Unsubscribe request" in page
    assert "“unsubscribe”" in page
    dana_client.post(f"/messages/{reply.message.public_id}/meaning/", {"label": "none"})
    page = dana_client.get(f"/inbox/{answered.public_id}/").content.decode()
    assert "None of these" in page
    assert "Dana" in page


def test_the_inbox_shows_those_that_mean_one_thing(write_back, dana_client, answered):
    write_back("I am interested.")
    assert answered.public_id in dana_client.get("/inbox/?meaning=interested").content.decode()
    assert answered.public_id not in dana_client.get("/inbox/?meaning=unsubscribe").content.decode()


def test_the_list_pages_by_a_link_and_filters(write_back, api, reader):
    for number in range(3):
        write_back(f"I am interested, number {number}.")
    write_back("The key is under the mat.")
    assert len(api.get("replies", reader).json()) == 3, "those without a meaning only when asked for"
    assert len(api.get("replies?classification=none", reader).json()) == 1
    first = api.get("replies?limit=2", reader)
    assert [reply["threadSnippet"][-2] for reply in first.json()] == ["2", "1"]
    link = first["Link"]
    assert link.endswith('; rel="next"')
    rest = api.get(link[1 : link.index(">")].partition("/v1/")[2], reader)
    assert [reply["threadSnippet"][-2] for reply in rest.json()] == ["0"]
    assert "Link" not in rest
    assert api.get("replies?receivedAfter=2099-01-01T00:00:00Z", reader).json() == []
    assert len(api.get("replies?receivedBefore=2099-01-01T00:00:00Z", reader).json()) == 3


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("campaignId=camp_01k00000000000000000000001", 404, "campaign.notFound"),
        ("campaignId=7", 400, "request.invalid"),
        ("classification=happy", 400, "request.invalid"),
        ("receivedAfter=2026-02-01T00:00:00Z&receivedBefore=2026-01-01T00:00:00Z", 422, "range.reversed"),
        ("receivedAfter=yesterday", 400, "request.invalid"),
        ("limit=1001", 400, "request.invalid"),
        ("cursor=x", 400, "request.invalid"),
        ("page=2", 400, "request.invalid"),
    ],
)
def test_bad_questions_are_refused(api, reader, query, status, code):
    answer = api.get(f"replies?{query}", reader)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_nobody_sees_or_corrects_replies_of_others(write_back, api, key_of, eastgate, harbor, eve, actor):
    reply = write_back("I am interested.")
    foreign = make_token(
        creator=Membership.objects.get(user=eve),
        actor=actor,
        name="Eve",
        scopes=["replies:read", "conversations:write"],
    )[1]
    assert api.get("replies", foreign).json() == []
    path = f"replies/{reply.public_id}/classification"
    assert api.post(path, foreign, {"classification": "none"}).status_code == 404
    assert not Classification.objects.filter(by="person").exists()


def test_an_unsubscribe_that_is_inferred_from_words_is_for_a_person_to_obey(write_back, dana_client, answered):
    write_back("I would rather not get these mails any more, please unsubscribe me.")
    assert not OptOut.objects.exists()
    page = dana_client.get(f"/inbox/{answered.public_id}/").content.decode()
    assert "This looks like an unsubscribe request." in page
    dana_client.post(f"/leads/{answered.lead.public_id}/consent/")
    assert OptOut.objects.in_force().get().reason == "person"
    assert "looks like an unsubscribe" not in dana_client.get(f"/inbox/{answered.public_id}/").content.decode()


def test_stop_alone_is_obeyed_at_once_in_any_language(write_back):
    write_back("Abmelden!")
    assert OptOut.objects.in_force().get().reason == "stop"
