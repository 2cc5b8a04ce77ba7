"""What the API's contract says and nobody had tried."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.models import Membership
from api.services import make_token
from conversations.models import Conversation, Message
from leads.custom_fields import coerce_with
from leads.models import CustomField, Lead
from sources.services import archive_source
from tests.support.mails import mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["leads:write", "conversations:write", "sources:write", "jobs:write"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=scopes)[1]


def test_when_the_lead_said_it_is_kept_and_shown(api, key, plumbing, lead_at):
    lead, said_at = lead_at(plumbing), timezone.now() - timedelta(days=3)
    said = {"content": "Call me", "external_id": "1", "said_at": said_at.isoformat()}
    answer = api.post(f"leads/{lead.public_id}/messages", key, said)
    assert answer.status_code == 201
    shown = answer.json()["data"]["message"]["said_at"]
    assert datetime.fromisoformat(shown) == said_at
    assert Message.objects.latest("id").said_at == said_at
    said |= {"external_id": "2", "said_at": (timezone.now() + timedelta(days=1)).isoformat()}
    refused = api.post(f"leads/{lead.public_id}/messages", key, said)
    assert refused.json()["errors"][0]["pointer"] == "#/said_at"
    del said["said_at"]
    assert api.post(f"leads/{lead.public_id}/messages", key, said).json()["data"]["message"]["said_at"] is None


REPLIES = {
    ("POST", "attachments"),
    ("GET", "attachments/{attachment_id}/download"),
    ("GET", "leads"), ("GET", "leads/{lead}"), ("GET", "leads/{lead}/conversations"),
    ("GET", "conversations/{conversation}/messages"), ("GET", "messages/{message}"),
    ("GET", "messaging-channel-connections"), ("GET", "whoami"), ("POST", "leads/{lead}/conversations/reply"),
    ("POST", "messages/{message}/retry"),
}  # fmt: skip


def test_a_sources_key_is_for_replies_and_for_nothing_else(api, key_of, plumbing, lead_at):
    """Every operation of the document, so that a new one is closed to such keys until somebody opens it."""
    from drf_spectacular.generators import SchemaGenerator

    secret, lead = key_of(plumbing), lead_at(plumbing)
    ids = {
        "lead_id": lead.public_id,
        "conversation_id": Conversation.objects.get().public_id,
        "message_id": Message.objects.get().public_id,
        "source_id": plumbing.public_id,
    }
    named = {"{lead_id}": "{lead}", "{conversation_id}": "{conversation}", "{message_id}": "{message}"}
    opened = set()
    for path, operations in SchemaGenerator().get_schema(request=None, public=True)["paths"].items():
        short = path.removeprefix("/v1/")
        for method in operations:
            if method.upper() not in ("GET", "POST", "PATCH", "DELETE", "PUT"):
                continue
            body = {"content": "x"} if method != "get" else None
            answer = api.call(method.upper(), _filled(short, ids), secret, body)
            if answer.status_code == 403:
                assert answer.json()["code"] == "token.scopeMissing", (method, path)
            else:
                for name, plain in named.items():
                    short = short.replace(name, plain)
                opened.add((method.upper(), short))
    assert opened == REPLIES


def _filled(path: str, ids: dict[str, str]) -> str:
    import re

    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "x"), path)


def test_nothing_is_added_to_an_archived_source(api, key, plumbing, lead_at, actor):
    lead = lead_at(plumbing)
    conversation = Conversation.objects.get()
    archive_source(source=plumbing, actor=actor)
    for method, path, body in (
        ("POST", f"leads/{lead.public_id}/messages", {"content": "x", "external_id": "1"}),
        ("POST", f"conversations/{conversation.public_id}/notes", {"content": "x"}),
        ("PATCH", f"leads/{lead.public_id}", {"first_name": "Other"}),
    ):
        answer = api.call(method, path, key, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "source.archived"), path
    assert Message.objects.count() == 1
    assert api.get(f"leads/{lead.public_id}", key).status_code == 200
    assert api.post(f"leads/{lead.public_id}/erase", key).status_code == 200


def test_an_export_has_what_was_merged_folded_and_mailed(api, key, plumbing, lead_at, receive, address_of):
    letter = mail("My tap leaks.\n\nOn Monday Bob <bob@x.example> wrote:\n> hi\n")
    receive(address_of(plumbing), letter)
    lead = Lead.objects.get()
    second = lead_at(plumbing, "ava.old@example.net")
    api.post(f"leads/{second.public_id}/opt-outs", key, {"channel": "email"})
    api.post(f"leads/{second.public_id}/merge", key, {"into": lead.public_id})
    data = api.get(f"leads/{lead.public_id}/export", key).json()["data"]
    assert [person["email"] for person in data["merged"]] == ["ava.old@example.net"]
    messages = [message for conversation in data["conversations"] for message in conversation["messages"]]
    [mailed] = [message for message in messages if message["mails"]]
    assert mailed["folded"].startswith("On Monday")
    assert base64.b64decode(mailed["mails"][0]["content"]) == letter
    assert len(data["opt_outs"]) == 1


def test_one_key_for_a_trial_and_for_the_import_is_refused(api, key, plumbing, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    path, rows = f"leads/import?source_id={plumbing.public_id}", [{"email": "ava@example.net"}]
    trial = api.post(f"{path}&dry_run=true", key, rows, Idempotency_Key="1")
    assert trial.status_code == 202
    answer = api.post(path, key, rows, Idempotency_Key="1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")
    again = api.post(f"leads/import?dry_run=true&source_id={plumbing.public_id}", key, rows, Idempotency_Key="1")
    assert again["Idempotency-Replayed"] == "true"


def rpc(api, key, message, **headers):
    answer = api.client.post(
        "/mcp", json.dumps(message), content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )  # fmt: skip
    return answer


def test_an_answer_of_an_mcp_client_and_an_id_that_is_null(api, key):
    said = {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert rpc(api, key, said).status_code == 202
    null = rpc(api, key, {"jsonrpc": "2.0", "id": None, "method": "ping"})
    assert null.json()["error"]["code"] == -32600
    assert rpc(api, key, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202


def test_mcp_says_what_is_left_and_offers_no_version_with_batches(api, key):
    answer = rpc(api, key, {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert "RateLimit" in answer
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}}
    assert "RateLimit" in rpc(api, key, call)
    start = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    answer = rpc(api, key, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": start})
    assert answer.json()["result"]["protocolVersion"] == "2025-11-25"


def test_mcp_lists_a_leads_conversations_by_state(api, key, plumbing, lead_at):
    lead, other = lead_at(plumbing), lead_at(plumbing, "other@example.net")
    arguments = {"lead_id": lead.public_id, "state": "closed"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "list_conversations", "arguments": arguments}}  # fmt: skip
    assert rpc(api, key, call).json()["result"]["structuredContent"]["result"]["data"]["conversations"] == []
    arguments["state"] = "open"
    answer = rpc(api, key, call).json()["result"]["structuredContent"]["result"]["data"]["conversations"]
    assert [row["lead_id"] for row in answer] == [lead.public_id] != [other.public_id]


def test_disconnecting_a_parent_names_the_locations_that_went_off(api, key, key_of, plumbing, eastgate, actor):
    from integrations import services as cards

    key_of(plumbing)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    eastgate.leadreplyapi.refresh_from_db()
    cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    answer = api.post(f"sources/{plumbing.public_id}/cards/lead-reply-api/disconnect", key)
    assert answer.json()["data"]["card"]["turned_off"] == [eastgate.public_id]


def test_the_team_reopens_by_writing_and_it_is_told(plumbing, lead_at):
    from conversations.services.lifecycle import close
    from conversations.services.replies import Author, Reply, send_reply
    from webhooks.models import Event

    lead = lead_at(plumbing)
    conversation = Conversation.objects.get()
    close(conversation_id=conversation.pk, actor=SYSTEM)
    send_reply(lead_id=lead.pk, reply=Reply("Hello", conversation.pk, reopens=True), author=Author("staff", "Dana"))
    assert Event.objects.filter(type="conversation.opened").count() == 1
    conversation.refresh_from_db()
    assert conversation.is_open


def test_a_new_lead_is_told_in_the_right_types(api, key, plumbing):
    for field, value in (("first_name", 7), ("phone", 12345), ("opt_in_transactional_sms", "yes"), ("opt_in", "yes")):
        answer = api.create_lead(key, source_id=plumbing.public_id, **{field: value})
        assert answer.status_code == 400, field
        assert answer.json()["errors"][0]["pointer"] == f"#/{field}"
    assert api.create_lead(key, source_id=plumbing.public_id, opt_in="true").status_code == 201
    assert Lead.objects.get().opt_in is True


def test_null_empties_what_is_shown_as_null(api, key, plumbing, lead_at):
    lead = lead_at(plumbing, phone="+14155550101")
    answer = api.call("PATCH", f"leads/{lead.public_id}", key, {"phone": None, "address": None})
    assert answer.status_code == 200, answer.json()
    assert answer.json()["data"]["lead"]["phone"] is None


def test_a_source_is_filtered_by_its_own_name_too(api, key, plumbing, eastgate, lead_at):
    lead_at(plumbing)
    lead_at(eastgate, "other@example.net")
    plumbing.external_id = "north-1"
    plumbing.save()
    for path, name in (("leads", "leads"), ("conversations", "conversations")):
        answer = api.get(f"{path}?source_id=north-1", key).json()["data"][name]
        assert [row["source_id"] for row in answer] == [plumbing.public_id], path
        assert api.get(f"{path}?source_id=nobody", key).json()["data"][name] == []


TIMES = ["2026-03-01", "2026-03-01T09:30:00Z", "2026-03-01 09:30", "2026-03-01t09:30:00.123456+05:30"]
NO_TIMES = ["2026-03-01x09:30", "2026-W09-1", "20260301", "2026-03-01T", "2026-02-30", "2026-03-01T25:00Z", "٢٠٢٦-03-01",
            "2026-03-01T09:30:00+99:99", "yesterday", "1772357400", " ", "2026-03-01T09:30:00Z; DROP"]  # fmt: skip


@pytest.mark.parametrize(("text", "status"), [*((one, 200) for one in TIMES), *((one, 400) for one in NO_TIMES)])
def test_a_time_is_a_time(api, key, text, status):
    answer = api.get(f"leads?created_after={quote(text)}", key)
    assert answer.status_code == status, answer.json()
    if status == 400:
        assert answer.json()["errors"][0]["parameter"] == "created_after"


@pytest.mark.parametrize("text", ["2026-03-01", " 2026-03-01 ", "2026-03-01T09:30:00Z", "2026-03-01T09:30"])
def test_a_date_is_kept_as_its_day(text):
    field = CustomField(key="moved_in", kind=CustomField.Kind.DATE)
    assert coerce_with({"moved_in": field}, {"moved_in": text}) == ({"moved_in": "2026-03-01"}, {})


@pytest.mark.parametrize("text", ["2026-03-01 or later", "2026-W09-1", "2026-02-30", "20260301", "1.3.2026", ""])
def test_what_is_no_date_is_refused(text):
    field = CustomField(key="moved_in", kind=CustomField.Kind.DATE)
    assert coerce_with({"moved_in": field}, {"moved_in": text})[1] == {
        "moved_in": "This is not a date. Write it as 2026-03-01."
    }
