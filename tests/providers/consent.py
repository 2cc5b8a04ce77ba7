"""An authorization server as Google and Microsoft have one (RFC 6749, RFC 7636, OpenID Connect), in the test's process.

It knows one application and one mailbox. `GET /authorize` is the page where a person consents: here they always do.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "leadwire.apps.example.com", "client-secret"


@dataclass
class ConsentServer:
    """What it gave out, and how it behaves."""

    address: str
    url: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_token: str = ""  # each is good for one use
    access_tokens: list[str] = field(default_factory=list)  # the last one is in force
    asked: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)  # in place of the next ones
    lasts: int = 3_600
    wait: threading.Event | None = None  # the token endpoint answers when it is set

    def consent(self, query: dict[str, str]) -> str:
        """A person says yes. Return where the browser goes then."""
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, fields: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(fields)
        if self.wait:
            self.wait.wait(10)
        if self.answers:
            return self.answers.pop(0)
        if (fields["client_id"], fields["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        if fields["grant_type"] == "authorization_code":
            query = self.codes.pop(fields["code"], None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(fields["code_verifier"].encode()).digest())
            if (
                query is None
                or challenge.rstrip(b"=").decode() != query["code_challenge"]
                or query["redirect_uri"] != fields["redirect_uri"]
            ):
                return 400, {"error": "invalid_grant"}
        elif fields["refresh_token"] != self.refresh_token:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return 200, self._give()

    def _give(self) -> dict[str, Any]:
        self.access_tokens.append(secrets.token_urlsafe(16))
        self.refresh_token = secrets.token_urlsafe(16)
        claims = base64.urlsafe_b64encode(json.dumps({"email": self.address}).encode()).rstrip(b"=").decode()
        return {
            "access_token": self.access_tokens[-1],
            "expires_in": self.lasts,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "id_token": f"e30.{claims}.x",
        }


def handler(server: ConsentServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self.send_response(302)
            self.send_header("Location", server.consent(query))
            self.end_headers()

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, value = server.token({name: values[0] for name, values in form.items()})
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
