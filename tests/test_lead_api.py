"""Leads by API: change, merge, erase, export, consent, custom fields, messages of a caller's own channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from conversations.api.leads import filtered
from conversations.models import Conversation, Message
from conversations.services.notifications import notify_team
from integrations.models import ApiToken, Attempt, Delivery, Event
from integrations.services.replays import start_replay
from integrations.services.tokens import make_token
from leads.models import Lead, OptOut
from tests.conftest import person
from tests.test_breaker import run_jobs

pytestmark = pytest.mark.django_db
SCOPES = ["leads:write", "conversations:write"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(maker=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=SCOPES)[1]


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
    made = api.post("custom-fields", key, {"key": "size", "type": "choice", "choices": ["S"]}).json()["data"]
    field = made["custom_field"]
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
    theirs = make_token(maker=agent, actor=actor, name="A", scopes=SCOPES, kind=ApiToken.Kind.STAFF)[1]
    assert api.call("DELETE", path, theirs).status_code == 403
    assert api.call("DELETE", path, key).status_code == 204
    assert api.get("custom-fields", key).json()["data"]["custom_fields"] == []


# --- consent ---


def test_consent_is_blocked_and_allowed_by_api(api, key, plumbing, westgate, lead_at, key_of):
    lead, elsewhere = lead_at(plumbing), lead_at(westgate)
    path = f"leads/{lead.public_id}/opt-outs"
    made = api.post(path, key, {"channel": "email", "reason": "unsubscribe"})
    assert made.status_code == 201
    assert api.post(path, key, {"channel": "email"}).status_code == 201, "blocking twice changes nothing"
    assert [one["channel"] for one in api.get(path, key).json()["data"]["opt_outs"]] == ["email"]
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
    assert {one.lead_id for one in Conversation.objects.all()} == {one.pk}
    assert {message.lead_id for message in Message.objects.all()} == {one.pk}
    assert [lead["id"] for lead in api.get("leads", key).json()["data"]["leads"]] == [one.public_id]
    assert api.reply(key_of(plumbing), two, "Hello").status_code == 201
    assert Message.objects.get(content="Hello").lead_id == one.pk


def test_who_writes_from_a_merged_address_is_the_lead_that_remains(api, key, plumbing, lead_at, dana_client):
    one, two = lead_at(plumbing, "one@example.net"), lead_at(plumbing, "two@example.net", phone="+14155550101")
    three = lead_at(plumbing, "three@example.net")
    api.post(f"leads/{two.public_id}/merge", key, {"into": one.public_id})
    api.post(f"leads/{one.public_id}/merge", key, {"into": three.public_id})
    for email, phone in (("one@example.net", ""), ("TWO@example.net", ""), ("", "+1 415 555 0101")):
        assert lead_at(plumbing, email, f"From {email}{phone}", phone=phone) == three
    created = api.create_lead(key, email="two@example.net", identifier_type="email").json()
    assert created["uid"] == three.public_id
    page = dana_client.get(f"/leads/{two.public_id}/")
    assert page.context["lead"] == three
    taken = api.call("PATCH", f"leads/{three.public_id}", key, {"email": "two@example.net"})
    assert taken.status_code == 200, "one's own address is no conflict"
    assert lead_at(plumbing, "two@example.net", "Once more") == three


def test_erasing_a_lead_takes_the_addresses_that_were_merged_into_it(api, key, plumbing, lead_at):
    one, two = lead_at(plumbing, "one@example.net"), lead_at(plumbing, "zyzzogeton@example.net")
    api.post(f"leads/{two.public_id}/opt-outs", key, {"channel": "email"})
    api.post(f"leads/{two.public_id}/merge", key, {"into": one.public_id})
    api.post(f"leads/{one.public_id}/erase", key)
    assert columns_with("zyzzogeton") == []
    back = lead_at(plumbing, "zyzzogeton@example.net", "Me again")
    assert back.pk not in (one.pk, two.pk)
    assert OptOut.objects.of(back).exists(), "what was blocked stays blocked"


def test_leads_that_cannot_be_merged_are_refused(api, key, plumbing, westgate, lead_at, dental):
    lead, elsewhere, foreign = lead_at(plumbing), lead_at(westgate), lead_at(dental)
    for into, status, code in (
        (lead, 422, "lead.sameLead"),
        (elsewhere, 422, "lead.otherSource"),
        (foreign, 404, "lead.notFound"),
    ):
        refused = api.post(f"leads/{lead.public_id}/merge", key, {"into": into.public_id})
        assert (refused.status_code, refused.json()["code"]) == (status, code)


# --- erase ---

UNIQUE_WORDS = {
    "email": "quokka.4711@example.net", "first_name": "Quokkaline", "last_name": "Zyzzogeton",
    "phone": "+14155554711", "address": "Quokkastreet 4711",
}  # fmt: skip


def columns_with(text: str) -> list[str]:
    """Every column of the database in which a text stands, as text or as bytes."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT 1 FROM "{table}" WHERE position(%s IN lower("{column}"::text)) > 0'  # noqa: S608
                f' OR position(%s IN "{column}"::text) > 0 LIMIT 1',
                [text.lower(), text.encode().hex()],
            )
            if cursor.fetchone():
                found.append(f"{table}.{column}")
    return found


@pytest.fixture
def known(api, key, key_of, plumbing, webhook_at, receive, address_of, dana_client, mailoutbox):
    """A lead with a long story: form, mail, replies, consent, audit, deliveries, stored answers."""
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    made = api.create_lead(
        key,
        **UNIQUE_WORDS,
        unique_id="QUOKKA-4711",
        message_data={"note": "Quokkaline wants a quote"},
        request_data={"pet": "Quokkaline's own"},
        headers={"Idempotency-Key": "create"},
    ).json()
    lead = Lead.objects.get()
    receive(
        address_of(plumbing),
        f"From: Quokkaline <{lead.email}>\r\nTo: x@example.com\r\nSubject: Hi\r\nMessage-ID: <quokka@example.net>\r\n\r\n"
        f"It is me, Quokkaline Zyzzogeton.\r\n".encode(),
    )
    api.reply(key_of(plumbing), lead, "Dear Quokkaline, we come.", headers={"Idempotency-Key": "reply"})
    api.post(f"leads/{lead.public_id}/opt-outs", key, {"channel": "email"})
    dana_client.post(f"/leads/{lead.public_id}/consent/", {"allow": "1"})
    api.post(f"leads/{lead.public_id}/opt-outs", key, {"channel": "email"})
    event = Event.objects.first()
    assert event
    Attempt.objects.create(
        delivery_id=event.pk, event_id=event.pk, lane_id=plumbing.restwebhook.lane_id, number=1, outcome="failed",
        organization_id=event.organization_id, source_id=event.source_id, event_type=event.type,
        started_at=event.happened_at, request_body="Quokkaline", answer_body="thanks Quokkaline",
    )  # fmt: skip
    assert made["uid"] == lead.public_id
    return lead


def test_erasing_leaves_nothing_of_the_person_in_any_table(api, key, known):
    for word in UNIQUE_WORDS.values():
        assert columns_with(word), "else this test proves nothing"
    ids = list(Event.objects.order_by("id").values_list("id", "type", "sequence"))
    answer = api.post(f"leads/{known.public_id}/erase", key)
    assert answer.status_code == 200, answer.json()
    counts = answer.json()["data"]["erased"]
    assert counts["events"] == len(ids)
    assert counts["messages"] >= 3
    assert counts["answers"] >= 2
    for word in (*UNIQUE_WORDS.values(), "QUOKKA-4711", "quokka@example.net"):
        assert columns_with(word) == [], word
    assert list(Event.objects.order_by("id").values_list("id", "type", "sequence")) == ids, "the feed has no holes"
    assert AuditEntry.objects.filter(action="lead.erase", target=known.public_id).exists()


def test_erasing_a_lead_with_a_short_name_leaves_the_log_of_others_alone(api, key, plumbing, lead_at):
    lead, other = lead_at(plumbing, "a@example.net"), lead_at(plumbing, "b@example.net")
    api.call("PATCH", f"leads/{lead.public_id}", key, {"first_name": "a", "last_name": ""})
    api.post(f"leads/{other.public_id}/opt-outs", key, {"channel": "email"})
    before = list(AuditEntry.objects.order_by("id").values_list("target", flat=True))
    api.post(f"leads/{lead.public_id}/erase", key)
    assert list(AuditEntry.objects.order_by("id").values_list("target", flat=True)) == [*before, lead.public_id]


def test_an_erased_lead_is_not_there_for_anybody(api, key, known, key_of, plumbing, dana_client):
    conversation, message = Conversation.objects.first(), Message.objects.first()
    assert conversation
    assert message
    api.post(f"leads/{known.public_id}/erase", key)
    lead, nothing = f"leads/{known.public_id}", "leads/lead_00000000000000000000000000"
    for path in ("", "/conversations", "/export", "/opt-outs"):
        gone, missing = api.get(f"{lead}{path}", key), api.get(f"{nothing}{path}", key)
        assert gone.status_code == missing.status_code == 404
        assert {**gone.json(), "request_id": ""} == {**missing.json(), "request_id": ""}
    assert api.get(f"conversations/{conversation.public_id}/messages", key).status_code == 404
    assert api.get(f"messages/{message.public_id}", key).status_code == 404
    assert api.reply(key, known).status_code == 404
    assert api.post(f"{lead}/erase", key).status_code == 404
    assert api.get("leads", key).json()["data"]["leads"] == []
    assert dana_client.get(f"/leads/{known.public_id}/").status_code == 404
    assert dana_client.get("/leads/").status_code == 200
    assert dana_client.get("/inbox/?state=all").status_code == 200


def test_a_stored_answer_of_an_erased_lead_does_not_bring_it_back(api, key, known):
    api.post(f"leads/{known.public_id}/erase", key)
    again = api.create_lead(
        key,
        **UNIQUE_WORDS,
        unique_id="QUOKKA-4711",
        message_data={"note": "Quokkaline wants a quote"},
        request_data={"pet": "Quokkaline's own"},
        headers={"Idempotency-Key": "create"},
    )
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == {"erased": True}


def test_a_block_outlives_the_address_that_it_was_made_for(api, key, known, key_of, plumbing, lead_at):
    api.post(f"leads/{known.public_id}/erase", key)
    back = lead_at(plumbing, UNIQUE_WORDS["email"])
    assert back.pk != known.pk
    assert OptOut.objects.of(back).exists()
    refused = api.reply(key, back)
    assert (refused.status_code, refused.json()["code"]) == (409, "lead.optedOut")
    api.call("DELETE", f"leads/{back.public_id}/opt-outs/email", key)
    assert api.reply(key, back).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_replay_skips_what_is_erased(api, key, plumbing, lead_at, webhook_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead_at(plumbing, "kept@example.net")
    gone = lead_at(plumbing, "gone@example.net")
    api.post(f"leads/{gone.public_id}/erase", key)
    Delivery.objects.all().delete()
    card = type(plumbing.restwebhook).objects.with_owner().get(source=plumbing)
    job = start_replay(listener=card, actor=actor, since=timezone.now() - timedelta(hours=1))
    run_jobs()
    job.refresh_from_db()
    assert job.done == 1


# --- export, own channels ---


def test_an_export_has_all_of_one_person_and_nothing_of_another(api, key, known, lead_at, plumbing):
    lead_at(plumbing, "other@example.net", message="Not yours")
    data = api.get(f"leads/{known.public_id}/export", key).json()["data"]
    assert data["lead"]["email"] == UNIQUE_WORDS["email"]
    contents = [message["content"] for one in data["conversations"] for message in one["messages"]]
    assert any("It is me" in content for content in contents)
    assert "Dear Quokkaline, we come." in contents
    assert "Not yours" not in contents
    assert data["opt_outs"]


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


def test_each_filter_of_the_list_has_an_index(plumbing):
    many = [
        Lead(
            organization_id=plumbing.organization_id, source=plumbing, first_name=f"Name{n}", email=f"n{n}@example.net",
            phone_e164=f"+1415{n:07}", unique_id=f"crm-{n}", tags=["rare"] if n == 8 else ["web"][: n % 2],
        )
        for n in range(5_000)
    ]  # fmt: skip
    Lead.objects.bulk_create(many)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_lead")
    leads = Lead.objects.filter(organization=plumbing.organization_id).real()
    for query, index, count in (
        ({"email": "N5@example.net"}, "lead_by_email", 1),
        ({"phone": "+1 415 000 0005"}, "lead_by_phone_e164", 1),
        ({"unique_id": "crm-5"}, "lead_by_unique_id", 1),
        ({"status": "Lost"}, "lead_newest_of_status", 0),
        ({"tag": "rare"}, "lead_by_tag", 1),
        ({"is_new": False}, "lead_newest_returned", 0),
        ({"updated_after": timezone.now()}, "lead_by_update", 0),
    ):
        rows = filtered(leads, {"is_new": None, **query}).newest_first()[:101]
        assert index in rows.explain(), query
        assert len(rows) == count, query
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # 5,000 rows are soon read
    found = Lead.objects.containing("name2718")
    assert "lead_words" in found.explain()
    assert [lead.first_name for lead in found] == ["Name2718"]


def test_a_list_of_what_came_since_reads_what_came_since(api, key, plumbing, lead_at):
    lead = lead_at(plumbing)
    since = lead.created_at - timedelta(seconds=1)
    for at, count in ((since, 1), (lead.created_at, 0), (datetime(1, 1, 1, tzinfo=UTC), 1)):
        answer = api.get(f"leads?created_after={quote(at.isoformat())}", key)
        assert len(answer.json()["data"]["leads"]) == count, at
    assert "id >=" in Lead.objects.created_since(since).explain()


def test_notifications_do_not_break_on_an_erased_lead(api, key, known):
    conversation = Conversation.objects.latest("id")
    notify_team(conversation)
    api.post(f"leads/{known.public_id}/erase", key)
    run_jobs()
