"""Replies through the API."""

from __future__ import annotations

import pytest

from conversations.models import Message
from integrations import services as cards
from messaging.models import Dispatch

pytestmark = pytest.mark.django_db


def test_it_queues_a_reply(api, key_of, eastgate, lead_at):
    lead = lead_at(eastgate)
    answer = api.reply(key_of(eastgate), lead)
    assert answer.status_code == 201, answer.content
    message = answer.json()["data"]["message"]
    assert message["status"] == "queued"
    assert message["author"] == {"kind": "api", "name": "Lead Reply API of Eastgate"}
    assert answer["Location"] == f"/v1/messages/{message['id']}"
    assert Dispatch.objects.get().pk == Message.objects.get(direction="outbound").pk


def test_whoami_answers_with_the_card_off(api, key_of, eastgate):
    answer = api.get("whoami", key_of(eastgate, on=False))
    assert answer.status_code == 200
    body = answer.json()
    assert body["kind"] == "source_key"
    assert body["sources"] == [{"id": eastgate.public_id, "name": "Eastgate", "kind": "location", "enabled": False}]
    assert body["key"]["prefix"].startswith("lwr_")


def test_a_lead_is_listed_and_read(api, key_of, eastgate, lead_at):
    lead, key = lead_at(eastgate), key_of(eastgate)
    listed = api.get("leads", key).json()
    assert [shown["id"] for shown in listed["data"]["leads"]] == [lead.public_id]
    assert listed["meta"] == {"next_cursor": None}
    shown = api.get(f"leads/{lead.public_id}", key).json()["data"]["lead"]
    assert shown["email"] == "ava@example.net"
    assert "source_name" not in shown


def test_conversations_and_messages_are_read(api, key_of, eastgate, lead_at):
    lead, key = lead_at(eastgate), key_of(eastgate)
    conversations = api.get(f"leads/{lead.public_id}/conversations", key).json()["data"]["conversations"]
    assert [conversation["messages"][0]["content"] for conversation in conversations] == ["My tap leaks."]
    messages = api.get(f"conversations/{conversations[0]['id']}/messages", key).json()["data"]["messages"]
    assert messages[0]["author"]["kind"] == "lead"


def test_the_same_idempotency_key_answers_the_same(api, key_of, eastgate, lead_at):
    lead, key = lead_at(eastgate), key_of(eastgate)
    first = api.reply(key, lead, headers={"Idempotency_Key": "one"})
    second = api.reply(key, lead, headers={"Idempotency_Key": "one"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert second["Location"] == first["Location"]
    assert Message.objects.filter(direction="outbound").count() == 1


def test_another_body_with_the_same_idempotency_key_is_refused(api, key_of, eastgate, lead_at):
    lead, key = lead_at(eastgate), key_of(eastgate)
    api.reply(key, lead, headers={"Idempotency_Key": "one"})
    answer = api.reply(key, lead, "Something else", headers={"Idempotency_Key": "one"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")


def test_what_was_refused_is_not_pinned(api, key_of, eastgate, lead_at, actor):
    lead, key = lead_at(eastgate), key_of(eastgate)
    cards.switch(card=eastgate.leadreplyapi, on=False, actor=actor)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).json()["code"] == "integration.disabled"
    cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).status_code == 201


def test_a_lead_of_another_source_reads_like_one_that_never_was(api, key_of, eastgate, westgate, lead_at):
    lead, key = lead_at(westgate), key_of(eastgate)
    foreign = api.reply(key, lead)
    lead.pk = "00000000-0000-7000-8000-000000000000"
    from uuid import UUID

    lead.pk = UUID(int=0x7 << 76 | 0x2 << 62)
    missing = api.reply(key, lead)
    assert foreign.status_code == missing.status_code == 404
    without_id = [{**one.json(), "request_id": ""} for one in (foreign, missing)]
    assert without_id[0] == without_id[1]
    assert without_id[0]["code"] == "lead.notFound"


def test_a_stored_answer_is_not_given_to_who_lost_the_source(api, key_of, plumbing, eastgate, lead_at, actor):
    key, lead = key_of(plumbing), lead_at(eastgate)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).status_code == 201
    cards.switch(card=eastgate.leadreplyapi, on=False, actor=actor)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).json()["code"] == "integration.disabled"
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=False, actor=actor)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).json()["code"] == "lead.notFound"
