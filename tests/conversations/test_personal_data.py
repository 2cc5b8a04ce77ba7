"""What is known of one person: exported whole, and erased so that nothing is left in any table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from api.services import make_token
from conversations.models import Conversation, Message
from conversations.services.notifications import notify_team
from leads.models import Lead, OptOut
from tests.support.due import run_jobs
from webhooks.models import Attempt, Delivery, Event
from webhooks.services.replays import start_replay

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["leads:write", "conversations:write"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=scopes)[1]


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
    created = api.create_lead(
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
    assert created["uid"] == lead.public_id
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
    card = type(plumbing.restwebhook).objects.with_credential_card().get(source=plumbing)
    job = start_replay(endpoint=card, actor=actor, since=timezone.now() - timedelta(hours=1))
    run_jobs()
    job.refresh_from_db()
    assert job.done == 1


def test_erasing_a_lead_takes_the_addresses_that_were_merged_into_it(api, key, plumbing, lead_at):
    lead, two = lead_at(plumbing, "one@example.net"), lead_at(plumbing, "zyzzogeton@example.net")
    api.post(f"leads/{two.public_id}/opt-outs", key, {"channel": "email"})
    api.post(f"leads/{two.public_id}/merge", key, {"into": lead.public_id})
    api.post(f"leads/{lead.public_id}/erase", key)
    assert columns_with("zyzzogeton") == []
    back = lead_at(plumbing, "zyzzogeton@example.net", "Me again")
    assert back.pk not in (lead.pk, two.pk)
    assert OptOut.objects.of(back).exists(), "what was blocked stays blocked"


def test_notifications_do_not_break_on_an_erased_lead(api, key, known):
    conversation = Conversation.objects.latest("id")
    notify_team(conversation)
    api.post(f"leads/{known.public_id}/erase", key)
    run_jobs()


def test_an_export_has_all_of_one_person_and_nothing_of_another(api, key, known, lead_at, plumbing):
    lead_at(plumbing, "other@example.net", message="Not yours")
    data = api.get(f"leads/{known.public_id}/export", key).json()["data"]
    assert data["lead"]["email"] == UNIQUE_WORDS["email"]
    contents = [message["content"] for conversation in data["conversations"] for message in conversation["messages"]]
    assert any("It is me" in content for content in contents)
    assert "Dear Quokkaline, we come." in contents
    assert "Not yours" not in contents
    assert data["opt_outs"]
