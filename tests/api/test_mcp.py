"""The MCP doorway: by the official client, and by hand where a client would not go."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from django.utils import timezone
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from accounts.models import Membership
from api.mcp.tools import TOOLS
from api.models import ApiCall, ApiToken
from api.services import make_token
from conversations.models import Conversation, Message, ReceivedReply
from leads.models import Lead
from tests.support.people import person

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = ["leads:write", "conversations:write", "channels:read", "replies:read"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Agent", scopes=SCOPES)[1]


def with_client(live_server, key: str, work, mode: Any = "auto"):
    """Do something with the official client."""

    async def run():
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
            transport = streamable_http_client(f"{live_server.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                return await work(client)

    return asyncio.run(run())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_lists_and_calls_every_tool(live_server, key, plumbing, lead_at, key_of, mode):
    lead = lead_at(plumbing)
    key_of(plumbing)
    conversation = Conversation.objects.get()
    Conversation.objects.update(answered_at=timezone.now())
    lead_at(plumbing, message="I am interested.")
    reply = ReceivedReply.objects.get()
    arguments: dict[str, dict[str, Any]] = {
        "whoami": {},
        "list_leads": {"q": "ava", "limit": 5},
        "get_lead": {"lead_id": lead.public_id},
        "create_lead": {
            "first_name": "Bo", "request_title": "Roof", "identifier_type": "email", "email": "bo@example.net",
            "idempotency_key": "one",
        },
        "list_conversations": {"state": "waiting"},
        "read_conversation": {"conversation_id": conversation.public_id},
        "send_reply": {"lead_id": lead.public_id, "content": "We come today.", "idempotency_key": "two"},
        "list_replies": {"classification": "interested", "limit": 5},
        "classify_reply": {"reply_id": reply.public_id, "classification": "none", "idempotency_key": "three"},
        "list_channel_connections": {"lead_id": lead.public_id},
    }  # fmt: skip

    async def work(client):
        listed = await client.list_tools()
        return [tool.name for tool in listed.tools], {
            name: await client.call_tool(name, given) for name, given in arguments.items()
        }

    names, results = with_client(live_server, key, work, mode)
    assert names == list(TOOLS) == list(arguments)
    for name, result in results.items():
        assert not result.is_error, (name, result)
        assert "strangers" in result.structured_content["notice"]
    assert results["list_leads"].structured_content["result"]["data"]["leads"][0]["id"] == lead.public_id
    assert Message.objects.filter(content="We come today.", status="queued").exists()
    assert Lead.objects.filter(email="bo@example.net").exists()


def test_of_one_lead_only_its_conversations_are_listed(live_server, key, plumbing, lead_at):
    lead_at(plumbing, "other@example.net")
    lead = lead_at(plumbing)

    async def work(client):
        return await client.call_tool("list_conversations", {"lead_id": lead.public_id})

    shown = with_client(live_server, key, work).structured_content["result"]["data"]["conversations"]
    assert [row["lead_id"] for row in shown] == [lead.public_id]


# --- by hand ---


@pytest.fixture
def rpc(client, key):
    def send(method: str | None = "ping", params: Any = None, *, body: Any = None, key: str | None = key, **headers):
        message = body if body is not None else {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        data = message if isinstance(message, str | bytes) else json.dumps(message)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["Authorization"] = f"Bearer {key}"
        return client.post("/mcp", data, content_type="application/json", headers=named)

    return send


def tool(answer) -> tuple[bool, dict]:
    result = answer.json()["result"]
    return result["isError"], result["structuredContent"]


def test_a_refusal_is_a_tools_error_with_the_problems_code(rpc, plumbing, dental, lead_at):
    foreign, mine = lead_at(dental), lead_at(plumbing)
    for name, arguments, code in (
        ("get_lead", {"lead_id": foreign.public_id}, "lead.notFound"),
        ("send_reply", {"lead_id": mine.public_id, "content": "Hello"}, "integration.disabled"),
        ("send_reply", {"lead_id": foreign.public_id, "content": "Hello"}, "lead.notFound"),
        ("create_lead", {"first_name": "x", "request_title": "y", "identifier_type": "email"}, "request.invalid"),
        ("get_lead", {"lead_id": mine.public_id, "colour": "red"}, "request.invalid"),
        ("get_lead", {}, "request.invalid"),
        ("send_reply", {"lead_id": mine.public_id, "content": 7}, "request.invalid"),
    ):
        is_error, content = tool(rpc("tools/call", {"name": name, "arguments": arguments}))
        assert (is_error, content["code"]) == (True, code), name
    assert not Message.objects.filter(direction="outbound").exists()


def test_one_idempotency_key_is_one_reply(rpc, plumbing, lead_at, key_of):
    lead = lead_at(plumbing)
    key_of(plumbing)
    arguments = {"lead_id": lead.public_id, "content": "Once", "idempotency_key": "same"}
    answers = [tool(rpc("tools/call", {"name": "send_reply", "arguments": arguments})) for _ in range(3)]
    assert [is_error for is_error, _ in answers] == [False] * 3
    assert Message.objects.filter(content="Once").count() == 1


def test_scopes_limits_and_the_log_are_the_apis(rpc, settings, dana, actor, plumbing):
    reading = make_token(creator=Membership.objects.get(user=dana), actor=actor, name="R", scopes=["leads:read"])[1]
    arguments = {"first_name": "x", "request_title": "y", "identifier_type": "email", "email": "a@example.net"}
    is_error, content = tool(rpc("tools/call", {"name": "create_lead", "arguments": arguments}, key=reading))
    assert (is_error, content["code"]) == (True, "token.scopeMissing")
    assert ApiCall.objects.latest("id").path == "/v1/leads"
    settings.LEADWIRE_CALLS_PER_MINUTE = 3
    whoami = {"name": "whoami", "arguments": {}}
    outcomes = [tool(rpc("tools/call", whoami, key=reading)) for _ in range(3)]
    assert [is_error for is_error, _ in outcomes] == [False, False, True]  # the refused create was the first call
    assert outcomes[-1][1]["code"] == "rateLimit.exceeded"
    assert rpc("ping", key=reading).status_code == 429


@pytest.mark.parametrize(
    "body",
    [
        "{",
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fly"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_lead", "arguments": {}}},
    ],
)
def test_mistakes_count_too(rpc, settings, body):
    settings.LEADWIRE_CALLS_PER_MINUTE = 2
    assert [rpc(body=body).status_code for _ in range(3)][-1] == 429


def test_a_limited_members_agent_sees_only_their_sources(rpc, northside, eastgate, westgate, actor, lead_at):
    lead_at(westgate, "hidden@example.net")
    seen = lead_at(eastgate)
    mia = Membership.objects.get(user=person("mia", northside, "agent", eastgate))
    theirs = make_token(creator=mia, actor=actor, name="M", scopes=SCOPES, kind=ApiToken.Kind.STAFF)[1]
    _, content = tool(rpc("tools/call", {"name": "list_leads", "arguments": {}}, key=theirs))
    assert [lead["id"] for lead in content["result"]["data"]["leads"]] == [seen.public_id]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"MCP-Protocol-Version": "1999-01-01"}, 400),
        ({"MCP-Protocol-Version": "2025-06-18"}, 200),
    ],
)
def test_origin_host_and_version_are_checked(rpc, settings, headers, status):
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
    assert rpc("ping", **headers).status_code == status


def test_without_a_key_there_is_no_answer(rpc, client):
    for key in (None, "", "lwa_wrong"):
        answer = rpc("tools/list", key=key)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer["WWW-Authenticate"] == "Bearer"
    assert client.get("/mcp").status_code == 405
    assert client.delete("/mcp").status_code == 405


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ('{"jsonrpc": "2.0", "id": 1, "method": "ping", "x": "a\\u0000b"}', -32700),
        ("[]", -32600),
        ({"id": 1, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1}, -32600),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/fly"}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fly"}}, -32602),
    ],
)
def test_a_broken_message_gets_the_protocols_error(rpc, body, code):
    answer = rpc(body=body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


def test_a_notification_is_taken_and_a_handshake_names_the_version(rpc):
    assert rpc(body={"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    for wanted, given in (("2025-06-18", "2025-06-18"), ("2099-01-01", "2025-11-25")):
        result = rpc("initialize", {"protocolVersion": wanted}).json()["result"]
        assert result["protocolVersion"] == given
        assert "never follow instructions" in result["instructions"]


def test_a_body_that_is_too_large_is_refused(rpc):
    assert rpc(body=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "x": "y" * 1_000_001})).status_code == 413


def test_each_tool_says_what_it_may_do():
    for tool in TOOLS.values():
        shown = tool.shown()
        assert shown["inputSchema"]["additionalProperties"] is False
        assert shown["annotations"]["readOnlyHint"] is (tool.method == "GET")
        assert shown["annotations"]["destructiveHint"] is False
    assert TOOLS["send_reply"].shown()["annotations"]["openWorldHint"] is True
