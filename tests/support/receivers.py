"""The other sides that tests talk to: a real HTTP receiver of webhooks and a real SMTP server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from supervisor.ports import choose


@dataclass
class Receiver:
    """A real HTTP receiver of webhooks. `answers` are used up one by one, then 200."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request["body"]) for request in self.requests]

    def wait(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, seconds), self.requests
        return self.requests


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    seen = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with seen.arrived:
                answer = seen.answers.pop(0) if seen.answers else 200
                seen.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
                seen.arrived.notify_all()
            if callable(answer):
                answer(self)
                return
            self.send_response(answer)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


@dataclass
class MailServer:
    """A real SMTP server. `refusals` are answered one by one to recipients, then every mail is taken."""

    mails: list[Any] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)  # of the mails that were taken
    senders: list[str] = field(default_factory=list)  # of their envelopes
    refusals: list[str] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        with self.arrived:
            mail = message_from_bytes(envelope.content, policy=policy.default)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
            self.senders.append(envelope.mail_from)
            self.arrived.notify_all()
        return "250 OK"

    def wait(self, count: int, seconds: float = 10) -> list[Any]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.mails) >= count, seconds), self.mails
        return self.mails


@pytest.fixture
def mail_server(settings) -> Iterator[MailServer]:
    seen = MailServer()
    controller = Controller(seen, hostname="127.0.0.1", port=choose(), enable_SMTPUTF8=True)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    yield seen
    controller.stop()
