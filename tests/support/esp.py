"""Email service providers: the server that stands for them, and their calls to us, each in its own form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any, ClassVar
from uuid import uuid4

import boto3
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

from messaging.esp.calls import REFERENCE
from messaging.esp.ses import _client as ses_client
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from messaging.services import connect
from supervisor.ports import choose
from tests.providers import esp
from tests.support.providers import ProviderServer, _running

PASSWORD, SIGNING_KEY = "a-password-of-ours", "0c1d2e3f"
OURS, ANSWERS = "sales@northside.example", "replies@in.northside.example"
REGION = "eu-west-1"
SENDGRID_SIGNER = ec.generate_private_key(ec.SECP256R1())
SENDGRID_PUBLIC = "".join(
    SENDGRID_SIGNER.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
    .splitlines()[1:-1]
)


class EspCalls(ABC):
    """How one ESP calls us."""

    slug: str
    settings: dict[str, str]
    client = Client()
    server: Any
    connection: ChannelConnection

    @abstractmethod
    def tell(self, kind: str, sent: dict[str, Any], to: str = "ava@example.net") -> Any:
        """Report on a mail: delivered, soft, hard, deferred, complained, rejected or unsubscribed."""

    @abstractmethod
    def bring(self, raw: bytes, *, sender: str = "ava@example.net", is_whole: bool = True) -> Any:
        """Bring a mail, as it came or taken apart."""

    @abstractmethod
    def say(self, body: bytes) -> Any:
        """Say anything at all, with what shows who it is."""

    @abstractmethod
    def pretend(self, body: bytes) -> Any:
        """Say it as somebody who knows no secret."""

    def post(self, body: Any, content_type: str = "application/json", ending: str = "", **headers: str) -> Any:
        path = f"/channels/{self.connection.callback_token}/{ending}"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, body, content_type=content_type, headers=headers)


def basic(password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"leadwire:{password}".encode()).decode()


def form(fields: dict[str, str | bytes]) -> tuple[bytes, str]:
    """Return a form of multiple parts and its content type (RFC 7578)."""
    boundary = uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + (value if isinstance(value, bytes) else value.encode())
        for name, value in fields.items()
    ]
    return b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def text_in(raw: bytes) -> str:
    return message_from_bytes(raw).get_payload(decode=True).decode()


class PostmarkCalls(EspCalls):
    slug = "postmark"
    settings = {"server_token": esp.SERVER_TOKEN, "webhook_password": PASSWORD, "inbound_address": ANSWERS}
    KINDS: ClassVar[dict[str, dict[str, Any]]] = {
        "delivered": {"RecordType": "Delivery", "DeliveredAt": "2026-11-28T12:00:05Z"},
        "soft": {"RecordType": "Bounce", "Type": "SoftBounce", "Details": "452 4.2.2 mailbox full"},
        "hard": {"RecordType": "Bounce", "Type": "HardBounce", "Details": "550 5.1.1 no such user"},
        "deferred": {"RecordType": "Bounce", "Type": "Transient", "Details": "451 later"},
        "complained": {"RecordType": "SpamComplaint", "Type": "SpamComplaint"},
        "rejected": {"RecordType": "Bounce", "Type": "Blocked", "Details": "blocked"},
        "unsubscribed": {
            "RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "ManualSuppression",
        },
    }  # fmt: skip

    def tell(self, kind, sent, to="ava@example.net"):
        told = {"MessageID": sent["id"], "Email": to, "Metadata": sent.get("metadata", {}), **self.KINDS[kind]}
        return self.post(told, Authorization=basic())

    def bring(self, raw, *, sender="ava@example.net", is_whole=True):
        mail = message_from_bytes(raw)
        headers = [{"Name": "Return-Path", "Value": f"<{sender}>"}]
        headers += [{"Name": name, "Value": value} for name, value in mail.items() if name in ("Message-ID",)]
        told = {
            "FromFull": {"Email": sender, "Name": "Ava Brooks"}, "Subject": mail["Subject"], "Headers": headers,
            "ToFull": [{"Email": ANSWERS, "Name": ""}], "OriginalRecipient": ANSWERS, "MessageID": str(uuid4()),
        }  # fmt: skip
        told |= {"RawEmail": raw.decode()} if is_whole else {"TextBody": text_in(raw), "HtmlBody": ""}
        return self.post(told, Authorization=basic())

    def say(self, body):
        return self.post(body, Authorization=basic())

    def pretend(self, body):
        return self.post(body, Authorization=basic("another-password-of"))


class MailgunCalls(EspCalls):
    slug = "mailgun"
    settings = {
        "api_key": esp.MAILGUN_KEY, "signing_key": SIGNING_KEY, "sending_domain": esp.DOMAIN, "inbound_address": ANSWERS,
    }  # fmt: skip
    KINDS: ClassVar[dict[str, dict[str, Any]]] = {
        "delivered": {"event": "delivered"},
        "soft": {"event": "failed", "severity": "permanent", "delivery-status": {"message": "552 5.2.2 mailbox full"}},
        "hard": {"event": "failed", "severity": "permanent", "delivery-status": {"message": "550 5.1.1 no such user"}},
        "deferred": {"event": "failed", "severity": "temporary", "delivery-status": {"message": "451 later"}},
        "complained": {"event": "complained"},
        "rejected": {"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only"}},
        "unsubscribed": {"event": "unsubscribed"},
    }

    def signed(self, key: str = SIGNING_KEY) -> dict[str, str]:
        at, token = str(int(time.time())), uuid4().hex
        signature = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
        return {"timestamp": at, "token": token, "signature": signature}

    def tell(self, kind, sent, to="ava@example.net"):
        headers = {"message": {"headers": {"message-id": sent["id"].strip("<>")}}}
        about = {"timestamp": time.time(), "recipient": to, "user-variables": sent.get("metadata", {})}
        return self.post({"signature": self.signed(), "event-data": {**headers, **about, **self.KINDS[kind]}})

    def bring(self, raw, *, sender="ava@example.net", is_whole=True):
        mail = message_from_bytes(raw)
        fields: dict[str, str | bytes] = {**self.signed(), "sender": sender, "recipient": ANSWERS}
        if is_whole:
            fields |= {"body-mime": raw}
        else:
            fields |= {"message-headers": json.dumps(mail.items()), "body-plain": text_in(raw)}
        return self.post(*form(fields), ending="mime" if is_whole else "")

    def say(self, body):
        return self.post(*form({**self.signed(), "body-mime": body}))

    def pretend(self, body):
        return self.post(*form({**self.signed("another"), "body-mime": body}))


class SendGridCalls(EspCalls):
    slug = "sendgrid"
    settings = {
        "api_key": esp.SENDGRID_KEY, "webhook_password": PASSWORD, "verification_key": SENDGRID_PUBLIC,
        "inbound_address": ANSWERS,
    }  # fmt: skip
    KINDS: ClassVar[dict[str, dict[str, Any]]] = {
        "delivered": {"event": "delivered", "response": "250 OK"},
        "soft": {"event": "bounce", "type": "blocked", "reason": "550 5.7.1 listed"},
        "hard": {"event": "bounce", "type": "bounce", "reason": "550 5.1.1 no such user"},
        "deferred": {"event": "deferred", "response": "451 later"},
        "complained": {"event": "spamreport"},
        "rejected": {"event": "dropped", "reason": "Invalid"},
        "unsubscribed": {"event": "unsubscribe"},
    }

    def _signed(self, body: bytes) -> dict[str, str]:
        at = str(int(time.time()))
        signature = SENDGRID_SIGNER.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
        name = "X-Twilio-Email-Event-Webhook"
        return {f"{name}-Signature": base64.b64encode(signature).decode(), f"{name}-Timestamp": at}

    def tell(self, kind, sent, to="ava@example.net"):
        metadata = sent.get("metadata", {})
        event = {"email": to, "timestamp": int(time.time()), "sg_event_id": uuid4().hex, **metadata, **self.KINDS[kind]}
        return self.say(json.dumps([event]).encode())

    def bring(self, raw, *, sender="ava@example.net", is_whole=True):
        mail = message_from_bytes(raw)
        fields: dict[str, str | bytes] = {"envelope": json.dumps({"to": [ANSWERS], "from": sender})}
        if is_whole:
            fields |= {"email": raw}
        else:
            headers = "".join(f"{name}: {value}\n" for name, value in mail.items())
            fields |= {"headers": headers, "text": text_in(raw), "charsets": '{"text": "UTF-8"}'}
        return self.post(*form(fields), Authorization=basic())

    def say(self, body):
        return self.post(body, Authorization=basic(), **self._signed(body))

    def pretend(self, body):
        return self.post(body, Authorization=basic(), **self._signed(body + b"x"))


class SesCalls(EspCalls):
    slug = "ses"
    settings = {
        "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret", "region": REGION,
        "webhook_password": PASSWORD, "inbound_address": ANSWERS,
    }  # fmt: skip

    def tell(self, kind, sent, to="ava@example.net"):
        row = {"emailAddress": to}
        bounced = {"bouncedRecipients": [row], "bounceSubType": "General"}
        details = {
            "delivered": ("Delivery", {"recipients": [to], "smtpResponse": "250 OK"}),
            "soft": ("Bounce", {**bounced, "bounceType": "Transient"}),
            "hard": ("Bounce", {**bounced, "bounceType": "Permanent"}),
            "complained": ("Complaint", {"complainedRecipients": [row]}),
            "rejected": ("Reject", {"reason": "Bad content"}),
        }
        name, detail = details[kind]
        metadata = [{"name": "X-Metadata", "value": json.dumps(sent.get("metadata", {}))}]
        mail = {"messageId": sent["id"], "destination": [to], "headers": metadata}
        return self.notify({"eventType": name, "mail": mail, name.lower(): detail})

    def bring(self, raw, *, sender="ava@example.net", is_whole=True):
        content = base64.b64encode(raw).decode()
        receipt = {"recipients": [ANSWERS], "action": {"type": "SNS", "encoding": "BASE64"}}
        mail = {"source": sender, "messageId": uuid4().hex}
        return self.notify({"notificationType": "Received", "receipt": receipt, "mail": mail, "content": content})

    def notify(self, notice: Any, kind: str = "Notification", password: str = PASSWORD, **more: str) -> Any:
        message_id = str(uuid4())
        told = {"Type": kind, "MessageId": message_id, "TopicArn": f"arn:aws:sns:{REGION}:123456789012:mail",
                "Message": notice if isinstance(notice, str) else json.dumps(notice), **more}  # fmt: skip
        headers = {"X-Amz-Sns-Message-Type": kind, "X-Amz-Sns-Message-Id": message_id}
        if password:
            headers["Authorization"] = basic(password)
        return self.post(json.dumps(told).encode(), "text/plain; charset=UTF-8", **headers)

    def say(self, body):
        return self.notify(body.decode("utf-8", "replace"))

    def pretend(self, body):
        return self.notify(body.decode("utf-8", "replace"), password="another-password-of")


class MotoSes:
    """What Amazon's servers have taken, in the form of the other servers."""

    @property
    def taken(self) -> list[dict[str, Any]]:
        rows = []
        for sent in ses_backends["123456789012"][REGION].sent_messages:
            mail = message_from_bytes(sent.raw_data.encode() if isinstance(sent.raw_data, str) else sent.raw_data)
            parts = [part for part in mail.walk() if not part.is_multipart()]
            rows.append({
                "id": sent.id, "to": mail["To"], "from": mail["From"], "subject": mail["Subject"],
                "headers": dict(mail.items()), "reply_to": mail["Reply-To"],
                "text": parts[0].get_payload(decode=True).decode(), "html": parts[1].get_payload(decode=True).decode(),
                "metadata": json.loads(mail["X-Metadata"]),
                "files": {part.get_filename(): base64.b64encode(part.get_payload(decode=True)).decode()
                          for part in parts[2:]},
            })  # fmt: skip
        return rows


CALLS: dict[str, type[EspCalls]] = {
    calls.slug: calls for calls in (PostmarkCalls, MailgunCalls, SendGridCalls, SesCalls)
}


@pytest.fixture(scope="session")
def _esp_process() -> Iterator[str]:
    with _running("esp") as url:
        yield url


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The address of a server that speaks the APIs of Amazon."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=choose(), verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server._port}"
    server.stop()


@pytest.fixture
def esp_server(_esp_process: str, settings: Any) -> ProviderServer:
    settings.LEADWIRE_POSTMARK_URL = f"{_esp_process}/postmark"
    settings.LEADWIRE_MAILGUN_URL = f"{_esp_process}/mailgun/v3"
    settings.LEADWIRE_SENDGRID_URL = f"{_esp_process}/sendgrid/v3"
    server = ProviderServer(_esp_process)
    server.next()
    return server


@pytest.fixture
def ses_server(aws, settings) -> Iterator[MotoSes]:
    settings.LEADWIRE_SES_URL = aws
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": REGION}
    client = boto3.client("sesv2", endpoint_url=aws, **keys)
    client.create_email_identity(EmailIdentity=OURS)
    yield MotoSes()
    client.delete_email_identity(EmailIdentity=OURS)
    client.close()
    if ses_client.cache_info().currsize:
        ses_client(SesCalls.settings["access_key_id"], SesCalls.settings["secret_access_key"], REGION).close()
    ses_client.cache_clear()


def connected(slug: str, source: Any, actor: Any) -> ChannelConnection:
    provider = PROVIDERS[slug]
    given = CALLS[slug].settings
    return connect(source=source, actor=actor, provider=provider, name="Sales", own_address=OURS, settings=given)


@pytest.fixture(params=CALLS)
def esp_calls(request: Any, plumbing: Any, actor: Any) -> EspCalls:
    """Each ESP in turn: it takes mails of a connection, and calls us."""
    calls = CALLS[request.param]()
    calls.server = request.getfixturevalue("ses_server" if calls.slug == "ses" else "esp_server")
    calls.connection = connected(calls.slug, plumbing, actor)
    return calls


def metadata_of(sent: dict[str, Any]) -> str:
    """Our id of a mail that was taken."""
    return str(sent["metadata"][REFERENCE])
