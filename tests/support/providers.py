"""The servers that stand for providers, and their calls to us."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from conversations.services.provider_calls import read_call
from messaging.meta.signature import sign
from messaging.models import ChannelConnection, InboundCall
from messaging.registry import PROVIDERS
from messaging.services import connect
from supervisor import ports
from supervisor.stack import ROOT
from tests.providers import meta, twilio

META = {"phone_number_id": meta.PHONE_NUMBER_ID, "business_account_id": meta.BUSINESS_ID,
        "access_token": meta.ACCESS_TOKEN, "app_secret": meta.APP_SECRET}  # fmt: skip
TWILIO = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN}


@dataclass
class ProviderServer:
    """A running server that follows a provider's contract."""

    url: str
    client: Client = field(default_factory=Client)

    def next(self, *answers: Any) -> None:
        """How the next messages are answered, one after the other."""
        self._call("/_next", json.dumps(answers).encode())

    @property
    def taken(self) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = self._call("/_taken")
        return taken

    def keep(self, media_id: str, content: bytes) -> None:
        """Keep a file that somebody sent."""
        request = urllib.request.Request(f"{self.url}/_media/{media_id}", content, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def _call(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", data=body, timeout=10) as answer:
            return json.load(answer)


@dataclass
class TwilioServer(ProviderServer):
    """Twilio."""

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
        fields = {"MessageSid": "SM" + "1" * 32, "From": sender, "To": connection.own_address, "NumMedia": "0", **more}
        return self.call_us(connection.callback_url, Body=text, **fields)

    def report(self, sent: dict[str, Any], status: str, **more: str) -> Any:
        """Report what became of a message that was taken, at the address that it named."""
        fields = {"MessageSid": sent["sid"], "MessageStatus": status, "To": sent["To"], **more}
        return self.call_us(sent["StatusCallback"], **fields)


@dataclass
class MetaServer(ProviderServer):
    """Meta's Cloud API."""

    def list_templates(self, *rows: dict[str, Any]) -> None:
        self._call("/_templates", json.dumps(rows).encode())

    def call_us(self, connection: ChannelConnection, call: Any, secret: str = meta.APP_SECRET) -> Any:
        """Call us as Meta does: JSON with the signature of its raw bytes."""
        body = call if isinstance(call, bytes) else json.dumps(call).encode()
        headers = {"X-Hub-Signature-256": sign(body, secret)}
        path = f"/channels/{connection.callback_token}/"
        return self.client.post(path, body, content_type="application/json", headers=headers)

    def tell(self, connection: ChannelConnection, number_id: str = meta.PHONE_NUMBER_ID, **value: Any) -> Any:
        """Tell of messages or statuses of one number."""
        metadata = {"display_phone_number": connection.own_address.lstrip("+"), "phone_number_id": number_id}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        entry = [{"id": meta.BUSINESS_ID, "changes": [change]}]
        return self.call_us(connection, {"object": "whatsapp_business_account", "entry": entry})

    def bring(self, connection: ChannelConnection, text: str, *, wamid: str = "wamid.1", seconds_ago: float = 0) -> Any:
        """Bring a text that somebody wrote to the connection's number."""
        sender = "14155550100"
        message = {"from": sender, "id": wamid, "timestamp": str(int(time.time() - seconds_ago)), "type": "text"}
        contacts = [{"profile": {"name": "Ava Brooks"}, "wa_id": sender}]
        return self.tell(connection, contacts=contacts, messages=[{**message, "text": {"body": text}}])

    def report(self, connection: ChannelConnection, sent: dict[str, Any], status: str, **more: Any) -> Any:
        """Report what became of a message that was taken."""
        row = {"id": sent["wamid"], "status": status, "timestamp": str(int(time.time())), "recipient_id": sent["to"]}
        reference = {"biz_opaque_callback_data": sent["biz_opaque_callback_data"]}
        return self.tell(connection, statuses=[{**row, **reference, **more}])


@contextmanager
def _running(name: str) -> Iterator[str]:
    port = ports.choose()
    process = subprocess.Popen([sys.executable, "-m", f"tests.providers.{name}", str(port)], cwd=ROOT)
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


@pytest.fixture(scope="session")
def _twilio_process() -> Iterator[str]:
    with _running("twilio") as url:
        yield url


@pytest.fixture(scope="session")
def _meta_process() -> Iterator[str]:
    with _running("meta") as url:
        yield url


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
        source=plumbing,
        actor=actor,
        provider=PROVIDERS["twilio"],
        name="Main line",
        own_address=number,
        settings=TWILIO,
    )


@pytest.fixture
def meta_server(_meta_process: str, settings: Any) -> MetaServer:
    settings.LEADWIRE_META_URL = _meta_process
    server = MetaServer(_meta_process)
    server.next()
    server.list_templates()
    return server


@pytest.fixture
def whatsapp(meta_server, plumbing, actor) -> ChannelConnection:
    """A WhatsApp number that the business uses, and its locations inherit."""
    number = meta.OUR_NUMBER
    return connect(
        source=plumbing, actor=actor, provider=PROVIDERS["meta"], name="WhatsApp", own_address=number, settings=META
    )


@pytest.fixture
def read_calls() -> Callable[[], None]:
    """Read all calls that are kept, as the job does."""

    def run() -> None:
        for call in InboundCall.objects.filter(outcome="waiting"):
            read_call(call.pk)

    return run
