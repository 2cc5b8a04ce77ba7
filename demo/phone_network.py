"""The phone network of the demo: it takes SMS as Twilio does and WhatsApp messages as Meta does, and keeps them.

    python -m demo.phone_network FOLDER PORT LEADWIRE_URL

FOLDER has numbers.json (what `manage.py demo` writes: our numbers, with their callback addresses and secrets), and gets
messages.jsonl, which the page /demo/phone/ shows. `POST /say` writes a message to one of our numbers, as a phone does.
An SMS with the words "(phone is off)" is reported as not delivered, and the same one again arrives.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from messaging.meta.signature import sign as sign_for_meta
from messaging.twilio.signature import sign as sign_for_twilio

REPORTED_AFTER = {"sent": 0.5, "delivered": 1.5, "undelivered": 1.5, "read": 3.0}  # seconds
OFF = "(phone is off)"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
TEMPLATES: list[dict[str, Any]] = [
    {"name": name, "language": "en_US", "status": "APPROVED", "category": "UTILITY",
     "components": [{"type": "BODY", "text": text}]}
    for name, text in (
        ("appointment_reminder", "Hello {{1}}, we come to you on {{2}}. Does that still suit you?"),
        ("follow_up", "Hello {{1}}, is everything working again? We are happy to help."),
    )
]  # fmt: skip


class Network:
    """What the phones have got and said, and how Leadwire is called."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.lock = threading.Lock()
        self.undelivered: set[str] = set()  # SMS that met a phone which was off
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def numbers(self) -> dict[str, dict[str, str]]:
        """Our numbers by channel: `number`, `callback_url`, `secret`, and `id` at the provider."""
        path = self.folder / "numbers.json"
        numbers: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
        return numbers

    def keep(self, channel: str, *, phone: str, text: str, by: str) -> None:
        row = {"channel": channel, "phone": phone, "text": text, "by": by, "at": time.time()}
        with self.lock, (self.folder / "messages.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def say(self, channel: str, *, phone: str, text: str) -> None:
        """A phone writes to our number."""
        number = self.numbers[channel]
        self.keep(channel, phone=phone, text=text, by="phone")
        if channel == "sms":
            fields = {"MessageSid": f"SM{uuid4().hex}", "From": phone, "To": number["number"], "Body": text}
            self.call_as_twilio(number["callback_url"], {**fields, "NumMedia": "0"}, number["secret"])
        else:
            message = {"from": phone.lstrip("+"), "id": f"wamid.{uuid4().hex}", "timestamp": str(int(time.time()))}
            self.call_as_meta(number, messages=[{**message, "type": "text", "text": {"body": text}}])

    def report_sms(self, sid: str, to: str, callback_url: str, *, is_off: bool) -> None:
        for status in ("sent", "undelivered" if is_off else "delivered"):
            fields = {"MessageSid": sid, "MessageStatus": status, "To": to} | ({"ErrorCode": "30003"} if is_off else {})
            self._later(status, self.call_as_twilio, callback_url, fields, self.numbers["sms"]["secret"])

    def report_whatsapp(self, wamid: str, to: str, reference: str) -> None:
        for status in ("sent", "delivered", "read"):
            row = {"id": wamid, "status": status, "recipient_id": to, "biz_opaque_callback_data": reference}
            shown = {**row, "timestamp": str(int(time.time()))}
            self._later(status, self._report_whatsapp, shown)

    def _report_whatsapp(self, status: dict[str, str]) -> None:
        self.call_as_meta(self.numbers["whatsapp"], statuses=[status])

    def _later(self, status: str, action: Any, *words: Any) -> None:
        timer = threading.Timer(REPORTED_AFTER[status], action, words)
        timer.daemon = True
        timer.start()

    def call_as_twilio(self, url: str, fields: dict[str, str], secret: str) -> None:
        headers = {"Content-Type": FORM, "X-Twilio-Signature": sign_for_twilio(url, fields.items(), secret)}
        self._call(url, urlencode(fields).encode(), headers)

    def call_as_meta(self, number: dict[str, str], **value: Any) -> None:
        metadata = {"display_phone_number": number["number"].lstrip("+"), "phone_number_id": number["id"]}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        call = {"object": "whatsapp_business_account", "entry": [{"id": "demo", "changes": [change]}]}
        body = json.dumps(call).encode()
        headers = {"Content-Type": JSON, "X-Hub-Signature-256": sign_for_meta(body, number["secret"])}
        self._call(number["callback_url"], body, headers)

    def _call(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        """Call Leadwire on this machine, whatever it is called outside."""
        parts = urlsplit(url)
        here = f"{self.url}{parts.path}?{parts.query}" if parts.query else f"{self.url}{parts.path}"
        with urllib.request.urlopen(urllib.request.Request(here, body, headers), timeout=10) as answer:  # noqa: S310
            answer.read()


def _words(message: dict[str, Any]) -> str:
    """What the phone shows of a WhatsApp message. Of a file it shows the name."""
    content = message.get(message["type"], {})
    if message["type"] == "text":
        return str(content["body"])
    return "\n".join(filter(None, [content.get("caption"), f"[{content.get('filename', message['type'])}]"]))


def handler(network: Network) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "message_templates" in self.path:
                return self._answer(200, {"data": TEMPLATES, "paging": {}})
            if "/Accounts/" in self.path:
                return self._answer(200, {"friendly_name": "Demo", "status": "active"})
            number = network.numbers.get("whatsapp", {}).get("number", "")
            return self._answer(200, {"verified_name": "Demo", "display_phone_number": number})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/say":
                said = json.loads(body)
                network.say(said["channel"], phone=said["phone"], text=said["text"])
                return self._answer(200, {})
            if self.path.endswith("/media"):
                return self._answer(200, {"id": "1"})
            if "/Accounts/" in self.path:
                fields = {name: "\n".join(values) for name, values in parse_qs(body.decode()).items()}
                return self._take_sms({"Body": "[a file]"} | fields)
            return self._take_whatsapp(json.loads(body))

        def _take_sms(self, fields: dict[str, str]) -> None:
            sid = f"SM{uuid4().hex}"
            is_off = OFF in fields["Body"] and fields["Body"] not in network.undelivered
            if is_off:
                network.undelivered.add(fields["Body"])
            else:
                network.keep("sms", phone=fields["To"], text=fields["Body"], by="us")
            if callback_url := fields.get("StatusCallback"):
                network.report_sms(sid, fields["To"], callback_url, is_off=is_off)
            self._answer(201, {"sid": sid, "status": "queued", "num_segments": "1"})

        def _take_whatsapp(self, message: dict[str, Any]) -> None:
            wamid, text = f"wamid.{uuid4().hex}", _words(message)
            if template := message.get("template"):
                values = [part["text"] for group in template.get("components", []) for part in group["parameters"]]
                text = next(row["components"][0]["text"] for row in TEMPLATES if row["name"] == template["name"])
                for index, value in enumerate(values, 1):
                    text = text.replace(f"{{{{{index}}}}}", value)
            network.keep("whatsapp", phone=f"+{message['to']}", text=text, by="us")
            network.report_whatsapp(wamid, message["to"], message.get("biz_opaque_callback_data", ""))
            self._answer(200, {"messages": [{"id": wamid}]})

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


if __name__ == "__main__":
    folder, port, leadwire = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler(Network(Path(folder), leadwire)))
    server.daemon_threads = True
    server.serve_forever()
