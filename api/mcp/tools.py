"""The tools: each is one operation of the API, with a strict schema and hints for agents that ask before they act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

TEXT = {"type": "string"}
ID = {"type": "string", "minLength": 1, "maxLength": 60}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 100}
CURSOR = {"type": "string", "maxLength": 200, "description": "next_cursor of the page before."}
MEANINGS = ["interested", "not_interested", "out_of_office", "bounce", "unsubscribe", "none"]
KEY = {
    "type": "string",
    "pattern": "^[!-~]{1,255}$",
    "description": "The same key again does it once: use a new one for each new intent.",
}


@dataclass(frozen=True)
class Call:
    """A call of the API."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Tool:
    """One tool. What stands in braces in the path comes from the arguments; the rest is query or body."""

    name: str
    title: str
    description: str
    method: str
    path: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    @property
    def is_reading(self) -> bool:
        return self.method == "GET"

    def shown(self) -> dict[str, Any]:
        """The tool as `tools/list` says it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.schema(),
            "annotations": {
                "title": self.title,
                "readOnlyHint": self.is_reading,
                "destructiveHint": False,  # nothing here deletes or overwrites
                "idempotentHint": self.is_reading,
                "openWorldHint": self.name == "send_reply",  # a person outside gets it
            },
        }

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }

    def call(self, arguments: Mapping[str, Any]) -> Call:
        """Return the call of the API that these (validated) arguments make."""
        rest = dict(arguments)
        key = rest.pop("idempotency_key", None)
        path = re.sub(r"{(\w+)}", lambda part: quote(str(rest.pop(part[1])), safe=""), self.path)
        if not self.is_reading:
            return Call(self.method, path, rest, key)
        pairs = {name: str(value).lower() if isinstance(value, bool) else value for name, value in rest.items()}
        return Call(self.method, f"{path}?{urlencode(pairs)}" if pairs else path)


class Conversations(Tool):
    """Of one lead with their messages, or of the inbox with its filters: two operations, one question of an agent."""

    def call(self, arguments: Mapping[str, Any]) -> Call:
        if "lead_id" not in arguments or {"state", "source_id"} & arguments.keys():
            return super().call(arguments)
        return Tool(self.name, "", "", "GET", "/v1/leads/{lead_id}/conversations").call(arguments)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("whoami", "Whose key is this", "The key's kind, organization, sources and scopes.", "GET", "/v1/whoami"),
        Tool(
            "list_leads",
            "List leads",
            "Leads, the newest first. Filter by source, status, tag, email, phone, or words in name and contact (q).",
            "GET",
            "/v1/leads",
            {
                "q": {"type": "string", "maxLength": 200},
                "source_id": ID,
                "status": TEXT,
                "tag": TEXT,
                "email": TEXT,
                "phone": TEXT,
                "unique_id": TEXT,
                "is_new": {"type": "boolean"},
                "created_after": {"type": "string", "format": "date-time"},
                "updated_after": {"type": "string", "format": "date-time"},
                "limit": LIMIT,
                "cursor": CURSOR,
            },
        ),
        Tool(
            "get_lead",
            "Read a lead",
            "One lead by its id.",
            "GET",
            "/v1/leads/{lead_id}",
            {"lead_id": ID},
            ("lead_id",),
        ),
        Tool(
            "create_lead",
            "Create or find a lead",
            "Creates a lead, or finds it by the identifier that is declared, and opens a conversation.",
            "POST",
            "/v1/leads",
            {
                "first_name": TEXT,
                "request_title": {"type": "string", "description": "The conversation's title."},
                "identifier_type": {"enum": ["email", "unique_id"]},
                "source_id": ID,
                "last_name": TEXT,
                "email": TEXT,
                "phone": TEXT,
                "address": TEXT,
                "unique_id": TEXT,
                "status": TEXT,
                "tags": {"type": "array", "items": TEXT},
                "message_data": {"type": "object"},
                "request_data": {"type": "object"},
                "idempotency_key": KEY,
            },
            ("first_name", "request_title", "identifier_type"),
        ),
        Conversations(
            "list_conversations",
            "List conversations",
            "Conversations, the newest first: of one lead (lead_id), or of the inbox with its filters.",
            "GET",
            "/v1/conversations",
            {
                "lead_id": ID,
                "state": {"enum": ["open", "waiting", "closed", "all"], "description": "waiting: the lead spoke last."},
                "source_id": ID,
                "limit": LIMIT,
                "cursor": CURSOR,
            },
        ),
        Tool(
            "read_conversation",
            "Read a conversation",
            "The messages of one conversation, the newest first.",
            "GET",
            "/v1/conversations/{conversation_id}/messages",
            {"conversation_id": ID, "limit": LIMIT, "cursor": CURSOR},
            ("conversation_id",),
        ),
        Tool(
            "send_reply",
            "Answer a lead",
            "Sends a message to a lead, on the channel that the lead last used if none is named. A person gets it.",
            "POST",
            "/v1/leads/{lead_id}/conversations/reply",
            {
                "lead_id": ID,
                "content": {"type": "string", "minLength": 1, "maxLength": 10_000},
                "conversation_id": ID,
                "messaging_channel_connection_id": {"type": "integer", "minimum": 1},
                "if_last_message_id": {**ID, "description": "Refuse when something newer is there."},
                "idempotency_key": KEY,
            },
            ("lead_id", "content"),
        ),
        Tool(
            "list_replies",
            "List what leads answered",
            "Replies of leads and what they mean, the newest first. Without classification: all that have a meaning.",
            "GET",
            "/v1/replies",
            {
                "classification": {"enum": MEANINGS},
                "receivedAfter": {"type": "string", "format": "date-time"},
                "receivedBefore": {"type": "string", "format": "date-time"},
                "limit": LIMIT,
                "cursor": CURSOR,
            },
        ),
        Tool(
            "classify_reply",
            "Correct what a reply means",
            "Says what a reply means, in place of what rules say.",
            "POST",
            "/v1/replies/{reply_id}/classification",
            {
                "reply_id": ID,
                "classification": {"enum": [meaning for meaning in MEANINGS if meaning != "bounce"]},
                "idempotency_key": KEY,
            },
            ("reply_id", "classification"),
        ),
        Tool(
            "list_channel_connections",
            "List ways to a lead",
            "The channels of a source, and with lead_id whether each reaches that lead and why not.",
            "GET",
            "/v1/messaging-channel-connections",
            {"lead_id": ID, "source_id": ID},
        ),
    )
}
