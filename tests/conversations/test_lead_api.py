"""Leads by API: change, merge, consent, custom fields, messages of a caller's own channel."""

from __future__ import annotations

import json

import pytest

from accounts.models import AuditEntry, Membership
from api.models import ApiToken
from api.services import make_token
from conversations.models import Conversation, Message
from leads.models import Lead
from tests.support.people import person
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db
SCOPES = ["leads:write", "conversations:write"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=SCOPES)[1]


def events(lead) -> list[str]:
    return list(Event.objects.filter(lead_id=lead.pk).order_by("id").values_list("type", flat=True))


# --- change ---


def test_a_change_overwrites_what_is_given_and_says_so_once(api, key, plumbing, lead_at):
    lead = lead_at(plumbing)
    body = {"first_name": "Eva", "phone": "+1 415 555 0101", "tags": ["vip"], "custom_fields": {"budget": 5}}
    changed = api.call("PATCH", f"leads/{lead.public_id}", key, body).json()["data"]["lead"]
    assert (changed["first_name"], changed["last_name"], changed["tags"]) == ("Eva", "Brooks", ["vip"])
    assert changed["custom_fields"] == {"budget": "5"}
    assert Lead.objects.get().phone_e164 == "+14155550101"
    assert events(lead) == ["lead.created", "lead.updated"]
    assert Event.objects.latest("id").sequence == 2
    again = api.call("PATCH", f"leads/{lead.public_id}", key, body)
    assert again.status_code == 200
    assert events(lead) == ["lead.created", "lead.updated"], "nothing changed, nothing is told"
    api.call("PATCH", f"leads/{lead.public_id}", key, {"custom_fields": {"budget": None, "pets": "two"}})
    assert Lead.objects.get().custom_fields == {"pets": "two"}
    assert "Eva" not in json.dumps(list(AuditEntry.objects.values("target", "before", "after")))


def test_contact_details_that_arrive_later_are_told_as_that(api, key, plumbing, lead_at):
    lead = lead_at(plumbing, email="")
    api.call("PATCH", f"leads/{lead.public_id}", key, {"email": "late@example.net"})
    assert events(lead) == ["lead.created", "lead.contact_captured"]
    assert Lead.objects.get().contact_captured_at


def test_a_lead_that_was_held_back_is_announced_when_its_contact_is_patched_in(
    api, key, plumbing, lead_at, webhook_at, actor
):
    webhook_at(plumbing, "http://127.0.0.1:9/hook", needs_contact=True)
    lead = lead_at(plumbing, email="")
    assert not Delivery.objects.exists()
    api.call("PATCH", f"leads/{lead.public_id}", key, {"email": "late@example.net"})
    delivery = Delivery.objects.get()
    assert (delivery.event_type, delivery.is_announcement) == ("lead.created", True)


@pytest.mark.parametrize("field", ["email", "unique_id"])
def test_what_belongs_to_another_lead_is_a_conflict_and_nothing_is_written(api, key, plumbing, lead_at, field):
    other = lead_at(plumbing, "other@example.net")
    Lead.objects.filter(pk=other.pk).update(unique_id="A1")
    lead = lead_at(plumbing)
    value = {"email": "Other@Example.net", "unique_id": "A1"}[field]
    refused = api.call("PATCH", f"leads/{lead.public_id}", key, {"first_name": "X", field: value})
    assert (refused.status_code, refused.json()["code"]) == (409, "lead.identifierConflict")
    assert refused.json()["lead_id"] == other.public_id
    assert Lead.objects.get(pk=lead.pk).first_name == "Ava"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "nobody"}, "#/email"),
        ({"first_name": 7}, "#/first_name"),
        ({"first_name": "x" * 201}, "#/first_name"),
        ({"opt_in": "yes"}, "#/opt_in"),
        ({"colour": "red"}, "#/colour"),
        ({"first_name": "a\u0000b"}, "#/first_name"),
        ({"custom_fields": {"a": {"b": 1}}}, "#/custom_fields/a"),
    ],
)
def test_a_bad_change_names_its_field(api, key, plumbing, lead_at, body, pointer):
    refused = api.call("PATCH", f"leads/{lead_at(plumbing).public_id}", key, body)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == pointer


# --- custom fields ---


def test_a_defined_field_is_validated_wherever_its_value_comes_from(api, key, plumbing, lead_at):
    for body in (
        {"key": "budget", "type": "number"},
        {"key": "moving", "type": "date", "label": "Moving day"},
        {"key": "size", "type": "choice", "choices": ["S", "L"]},
    ):
        assert api.post("custom-fields", key, body).status_code == 201
    lead = lead_at(plumbing)
    good = {"budget": "12.50", "moving": "2026-05-01", "size": "L", "free": "text"}
    shown = api.call("PATCH", f"leads/{lead.public_id}", key, {"custom_fields": good}).json()["data"]["lead"]
    assert shown["custom_fields"] == {"budget": 12.5, "moving": "2026-05-01", "size": "L", "free": "text"}
    bad = {"budget": "much", "moving": "soon", "size": "M"}
    for answer, place in (
        (api.call("PATCH", f"leads/{lead.public_id}", key, {"custom_fields": bad}), "custom_fields"),
        (api.create_lead(key, email="new@example.net", request_data=bad), "request_data"),
    ):
        assert answer.status_code == 400
        pointers = {error["pointer"] for error in answer.json()["errors"]}
        assert pointers == {f"#/{place}/{name}" for name in bad}
    assert Lead.objects.count() == 1


def test_fields_are_made_changed_and_deleted_by_who_may_configure(api, key, northside, actor, plumbing):
    created = api.post("custom-fields", key, {"key": "size", "type": "choice", "choices": ["S"]}).json()["data"]
    field = created["custom_field"]
    again = api.post("custom-fields", key, {"key": "size", "type": "text"})
    assert (again.status_code, again.json()["code"]) == (409, "customField.exists")
    for body in (
        {"key": "x", "type": "choice"},
        {"key": "x", "type": "text", "choices": ["a"]},
        {"key": "x", "type": "?"},
    ):
        assert api.post("custom-fields", key, body).status_code == 400
    path = f"custom-fields/{field['id']}"
    assert api.call("PATCH", path, key, {"choices": ["S", "XL"]}).json()["data"]["custom_field"]["choices"] == [
        "S",
        "XL",
    ]
    agent = Membership.objects.get(user=person("ann", northside, "agent"))
    theirs = make_token(creator=agent, actor=actor, name="A", scopes=SCOPES, kind=ApiToken.Kind.STAFF)[1]
    assert api.call("DELETE", path, theirs).status_code == 403
    assert api.call("DELETE", path, key).status_code == 204
    assert api.get("custom-fields", key).json()["data"]["custom_fields"] == []


# --- consent ---


def test_consent_is_blocked_and_allowed_by_api(api, key, plumbing, westgate, lead_at, key_of):
    lead, elsewhere = lead_at(plumbing), lead_at(westgate)
    path = f"leads/{lead.public_id}/opt-outs"
    created = api.post(path, key, {"channel": "email", "reason": "unsubscribe"})
    assert created.status_code == 201
    assert api.post(path, key, {"channel": "email"}).status_code == 201, "blocking twice changes nothing"
    assert [out["channel"] for out in api.get(path, key).json()["data"]["opt_outs"]] == ["email"]
    assert api.get(f"leads/{elsewhere.public_id}/opt-outs", key).json()["data"]["opt_outs"] != []
    assert api.reply(key_of(plumbing), lead).json()["code"] == "lead.optedOut"
    assert events(lead) == ["lead.created", "lead.opted_out"]
    assert api.call("DELETE", f"{path}/email", key).status_code == 204
    assert api.get(path, key).json()["data"]["opt_outs"] == []
    assert api.post(path, key, {"channel": "sms"}).json()["code"] == "lead.noAddress"
    assert api.post(path, key, {"channel": "fax"}).status_code == 400
    assert api.call("DELETE", f"{path}/fax", key).status_code == 404


# --- merge ---


def test_merging_moves_everything_and_the_old_id_names_the_other_lead(api, key, plumbing, lead_at, key_of):
    one = lead_at(plumbing, "one@example.net", message="First")
    two = lead_at(plumbing, "two@example.net", message="Second", phone="+14155550101")
    answer = api.post(f"leads/{two.public_id}/merge", key, {"into": one.public_id})
    assert answer.status_code == 200, answer.json()
    merged = answer.json()["data"]["lead"]
    assert (merged["id"], merged["email"], merged["phone"]) == (one.public_id, "one@example.net", "+14155550101")
    assert api.get(f"leads/{two.public_id}", key).json()["data"]["lead"]["id"] == one.public_id
    assert {conversation.lead_id for conversation in Conversation.objects.all()} == {one.pk}
    assert {message.lead_id for message in Message.objects.all()} == {one.pk}
    assert [lead["id"] for lead in api.get("leads", key).json()["data"]["leads"]] == [one.public_id]
    assert api.reply(key_of(plumbing), two, "Hello").status_code == 201
    assert Message.objects.get(content="Hello").lead_id == one.pk


def test_who_writes_from_a_merged_address_is_the_lead_that_remains(api, key, plumbing, lead_at, dana_client):
    lead, two = lead_at(plumbing, "one@example.net"), lead_at(plumbing, "two@example.net", phone="+14155550101")
    three = lead_at(plumbing, "three@example.net")
    api.post(f"leads/{two.public_id}/merge", key, {"into": lead.public_id})
    api.post(f"leads/{lead.public_id}/merge", key, {"into": three.public_id})
    for email, phone in (("one@example.net", ""), ("TWO@example.net", ""), ("", "+1 415 555 0101")):
        assert lead_at(plumbing, email, f"From {email}{phone}", phone=phone) == three
    created = api.create_lead(key, email="two@example.net", identifier_type="email").json()
    assert created["uid"] == three.public_id
    page = dana_client.get(f"/leads/{two.public_id}/")
    assert page.context["lead"] == three
    taken = api.call("PATCH", f"leads/{three.public_id}", key, {"email": "two@example.net"})
    assert taken.status_code == 200, "one's own address is no conflict"
    assert lead_at(plumbing, "two@example.net", "Once more") == three


def test_leads_that_cannot_be_merged_are_refused(api, key, plumbing, westgate, lead_at, dental):
    lead, elsewhere, foreign = lead_at(plumbing), lead_at(westgate), lead_at(dental)
    for into, status, code in (
        (lead, 422, "lead.sameLead"),
        (elsewhere, 422, "lead.otherSource"),
        (foreign, 404, "lead.notFound"),
    ):
        refused = api.post(f"leads/{lead.public_id}/merge", key, {"into": into.public_id})
        assert (refused.status_code, refused.json()["code"]) == (status, code)


# --- own channels ---


def test_a_message_of_a_callers_own_channel_is_kept_once_by_its_id(api, key, plumbing, lead_at):
    lead = lead_at(plumbing)
    path, body = f"leads/{lead.public_id}/messages", {"content": "By pigeon", "external_id": "p-1"}
    first, again = api.post(path, key, body), api.post(path, key, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["data"]["message"]["id"] == again.json()["data"]["message"]["id"]
    assert Message.objects.filter(content="By pigeon").count() == 1
    assert events(lead) == ["lead.created", "message.received"]
    assert api.post(path, key, {**body, "external_id": "p-2"}).status_code == 201
    assert api.post(path, key, {"content": "no id"}).status_code == 400
