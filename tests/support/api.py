"""The API as callers use it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client


@dataclass
class Api:
    """The API as callers use it."""

    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, key: str | None = None, body: Any = None, **headers: str) -> Any:
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes | str) else json.dumps(body) if body is not None else ""
        content_type = headers.pop("Content_Type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, f"/v1/{path}", data, content_type=content_type, headers=named)

    def get(self, path: str, key: str | None = None, **headers: str) -> Any:
        return self.call("GET", path, key, **headers)

    def post(self, path: str, key: str | None = None, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, key, body, **headers)

    def reply(self, key: str | None, lead: Any, content: str = "We can come today.", **more: Any) -> Any:
        headers = more.pop("headers", {})
        return self.post(f"leads/{lead.public_id}/conversations/reply", key, {"content": content, **more}, **headers)

    def create_lead(self, token: str, **fields: Any) -> Any:
        headers = fields.pop("headers", {})
        body = {
            "first_name": "Ava",
            "request_title": "Leaking tap",
            "identifier_type": "email",
            "email": "ava@example.net",
        }
        return self.post("leads", token, {**body, **fields}, **headers)
