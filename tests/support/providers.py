"""The servers that stand for providers, and their calls to us."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from messaging.services import connect
from supervisor import ports
from supervisor.stack import ROOT
from tests.providers import twilio

TWILIO = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN}


@dataclass
class TwilioServer:
    """A running server that follows Twilio's contract."""

    url: str
    client: Client = field(default_factory=Client)

    def next(self, *answers: Any) -> None:
        """How the next messages are answered, one after the other."""
        self._call("/_next", json.dumps(answers).encode())

    @property
    def taken(self) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = self._call("/_taken")
        return taken

    def _call(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", data=body, timeout=10) as answer:
            return json.load(answer)

    def call_us(self, url: str, token: str = twilio.AUTH_TOKEN, **fields: str) -> Any:
        """Call us as Twilio does: a form with the signature of Twilio's own library."""
        signature = RequestValidator(token).compute_signature(url, fields)
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = {"X-Twilio-Signature": signature}
        form = "application/x-www-form-urlencoded"
        return self.client.post(path, urlencode(fields), content_type=form, headers=headers)

    def bring(self, connection: ChannelConnection, text: str, sender: str = "+14155550100", **more: str) -> Any:
        """Bring an SMS that somebody wrote to the connection's number."""
        fields = {"MessageSid": "SM" + "1" * 32, "From": sender, "To": connection.number, "NumMedia": "0", **more}
        return self.call_us(connection.callback_url, Body=text, **fields)

    def report(self, sent: dict[str, Any], status: str, **more: str) -> Any:
        """Report what became of a message that was taken, at the address that it named."""
        fields = {"MessageSid": sent["sid"], "MessageStatus": status, "To": sent["To"], **more}
        return self.call_us(sent["StatusCallback"], **fields)


@pytest.fixture(scope="session")
def _twilio_process() -> Iterator[str]:
    port = ports.choose()
    process = subprocess.Popen([sys.executable, "-m", "tests.providers.twilio", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{url}/_taken", timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def twilio_server(_twilio_process: str, settings: Any) -> TwilioServer:
    settings.LEADWIRE_TWILIO_URL = _twilio_process
    server = TwilioServer(_twilio_process)
    server.next()
    return server


@pytest.fixture
def sms(twilio_server, plumbing, actor) -> ChannelConnection:
    """A Twilio number that the business uses, and its locations inherit."""
    number = twilio.OUR_NUMBER
    return connect(
        source=plumbing, actor=actor, provider=PROVIDERS["twilio"], name="Main line", number=number, settings=TWILIO
    )
