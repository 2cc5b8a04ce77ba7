"""Postmark, Mailgun and SendGrid, as far as they are used; each below its own name.

    python -m tests.providers.esp PORT

https://postmarkapp.com/developer/api/email-api
https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send

`POST /_next` takes a list of how the next mails are answered: "busy" (429), "broken" (500), "cut" (taken, and the line
breaks before the answer), "garbage" (somebody else's answer), "unknown" (the key is unknown), "refused" (this mail is
not taken), "inactive" (this address is not written to any more). `GET /_taken` shows what was taken: `id`, `to`,
`from`, `subject`, `text`, `html`, `headers`, `metadata` and `files`, whatever the provider calls them.
"""

from __future__ import annotations

import base64
import json
import time
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from tests.providers.answering import Answering, following, lock, next_answer, serve, taken

SERVER_TOKEN, MAILGUN_KEY, SENDGRID_KEY = "1a2b3c4d-5e6f", "key-0a1b2c", "SG.abc.def"
DOMAIN = "mg.northside.example"


class Handler(Answering):
    def do_GET(self) -> None:
        if self.path == "/_taken":
            return self.answer(200, taken)
        if self.path == "/postmark/server":
            if self.headers.get("X-Postmark-Server-Token") != SERVER_TOKEN:
                return self.answer(401, {"ErrorCode": 10, "Message": "Request does not contain a valid Server token."})
            return self.answer(200, {"ID": 1, "Name": "Northside Plumbing"})
        if self.path == "/sendgrid/v3/scopes":
            if self.headers.get("Authorization") != f"Bearer {SENDGRID_KEY}":
                return self.answer(401, {"errors": [{"message": "authorization required"}]})
            return self.answer(200, {"scopes": ["mail.send"]})
        return self.answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        raw = self.body()
        if self.path == "/_next":
            following[:] = json.loads(raw)
            return self.answer(200, {})
        take = {
            "/postmark/email": self._postmark,
            "/sendgrid/v3/mail/send": self._sendgrid,
            f"/mailgun/v3/{DOMAIN}/messages": self._mailgun,
        }.get(self.path)
        return take(raw) if take else self.answer(404, {"message": "Domain not found"})

    def _postmark(self, raw: bytes) -> None:
        def refuse(status: int, code: int, words: str) -> None:
            self.answer(status, {"ErrorCode": code, "Message": words})

        how = next_answer()
        if how == "unknown" or self.headers.get("X-Postmark-Server-Token") != SERVER_TOKEN:
            return refuse(401, 10, "Request does not contain a valid Server token.")
        if how == "refused":
            return refuse(422, 300, "Invalid 'From' address: 'x'.")
        if how == "inactive":
            words = "You tried to send to a recipient that has been marked as inactive. Found inactive addresses: "
            return refuse(422, 406, f"{words}ava@example.net. Inactive recipients are ones that have bounced.")
        mail = json.loads(raw)
        row = {
            "to": mail["To"], "from": mail["From"], "subject": mail["Subject"], "text": mail["TextBody"],
            "html": mail["HtmlBody"], "metadata": mail.get("Metadata", {}), "reply_to": mail.get("ReplyTo", ""),
            "headers": {header["Name"]: header["Value"] for header in mail.get("Headers", [])},
            "files": {file["Name"]: file["Content"] for file in mail.get("Attachments", [])},
        }  # fmt: skip
        shown = {"To": mail["To"], "SubmittedAt": "2026-11-28T12:00:00Z", "ErrorCode": 0, "Message": "OK"}
        return self._take(row, str(uuid4()), how, lambda message_id: (200, {**shown, "MessageID": message_id}))

    def _sendgrid(self, raw: bytes) -> None:
        how = next_answer()
        if how == "unknown" or self.headers.get("Authorization") != f"Bearer {SENDGRID_KEY}":
            return self.answer(401, {"errors": [{"message": "The provided authorization grant is invalid"}]})
        if how in ("refused", "inactive"):
            return self.answer(400, {"errors": [{"message": "The from address does not match a verified Sender."}]})
        mail = json.loads(raw)
        personal, content = mail["personalizations"][0], {part["type"]: part["value"] for part in mail["content"]}
        arguments = {**mail.get("custom_args", {}), **personal.get("custom_args", {})}
        row = {
            "to": personal["to"][0]["email"], "from": mail["from"]["email"], "subject": mail["subject"],
            "text": content["text/plain"], "html": content["text/html"], "headers": mail.get("headers", {}),
            "reply_to": mail.get("reply_to_list", [{}])[0].get("email", ""), "metadata": arguments,
            "files": {file["filename"]: file["content"] for file in mail.get("attachments", [])},
        }  # fmt: skip
        return self._take(row, arguments["anymail_id"], how, lambda _: (202, b""))

    def _mailgun(self, raw: bytes) -> None:
        how = next_answer()
        expected = "Basic " + base64.b64encode(f"api:{MAILGUN_KEY}".encode()).decode()
        if how == "unknown" or self.headers.get("Authorization") != expected:
            return self.answer(401, b"Forbidden")
        if how in ("refused", "inactive"):
            return self.answer(400, {"message": "to parameter is not a valid address. please check documentation"})
        fields, files = _form(self.headers["Content-Type"], raw)
        if "from" not in fields:
            return self.answer(400, {"message": "from parameter is missing"})
        row = {
            "to": fields["to"], "from": fields["from"], "subject": fields["subject"], "text": fields["text"],
            "html": fields["html"], "files": files, "reply_to": fields.get("h:Reply-To", ""),
            "headers": {name[2:]: value for name, value in fields.items() if name.startswith("h:")},
            "metadata": {name[2:]: value for name, value in fields.items() if name.startswith("v:")},
        }  # fmt: skip
        message_id = f"<{uuid4().hex}@{DOMAIN}>"
        return self._take(row, message_id, how, lambda given: (200, {"id": given, "message": "Queued. Thank you."}))

    def _take(self, row: dict[str, Any], message_id: str, how: Any, answer: Any) -> None:
        if how == "busy":
            return self.answer(429, {"message": "Too many requests"}, {"Retry-After": "7"})
        if how == "broken":
            return self.answer(500, {"message": "Internal error"})
        with lock:
            taken.append({"id": message_id, "at": time.time(), **row})
        if how == "cut":
            self.close_connection = True
            return None
        if how == "garbage":
            return self.answer(200, ["hello"])
        return self.answer(*answer(message_id))


def _form(content_type: str, raw: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields of a form and its files (in base64)."""
    if not content_type.startswith("multipart/form-data"):
        return dict(parse_qsl(raw.decode())), {}
    parts = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw, policy=policy.HTTP).iter_parts()
    fields, files = {}, {}
    for part in parts:
        content: Any = part.get_payload(decode=True)
        if part.get_filename():
            files[str(part.get_filename())] = base64.b64encode(content).decode()
        else:
            fields[str(part.get_param("name", header="Content-Disposition"))] = content.decode()
    return fields, files


if __name__ == "__main__":
    serve(Handler)
