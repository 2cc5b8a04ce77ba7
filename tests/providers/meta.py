"""WhatsApp's Cloud API, as far as it is used: https://developers.facebook.com/docs/whatsapp/cloud-api/reference

    python -m tests.providers.meta PORT

`POST /_next` takes a list of how the next messages are answered: "busy" (429), "broken" (500), "cut" (taken, and the
line breaks before the answer), "garbage" (somebody else's answer), or one of the API's error codes. `POST /_templates`
takes the list of templates. `GET /_taken` shows what was taken. `PUT /_media/ID` keeps a file that somebody sent.
"""

from __future__ import annotations

import json
import time
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.providers.answering import Answering, following, lock, next_answer, serve, taken

PHONE_NUMBER_ID, BUSINESS_ID = "106540352242922", "102290129340398"
ACCESS_TOKEN, APP_SECRET = "EAAaccess", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
OUR_NUMBER = "+15550783881"
PAGE = 2  # templates in one page of the list
TEXT_MAX = 4_096

templates: list[dict[str, Any]] = []
media: dict[str, bytes] = {}


class Handler(Answering):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/_taken":
            return self.answer(200, taken)
        if not self._is_known():
            return self._refuse(401, 190, "Invalid OAuth access token.")
        if parts.path.startswith("/_file/"):
            return self.answer(200, media[parts.path.rpartition("/")[2]])
        if (media_id := parts.path.lstrip("/")) in media:
            url = f"http://{self.headers['Host']}/_file/{media_id}"
            return self.answer(200, {"url": url, "mime_type": "image/jpeg", "id": media_id})
        if parts.path == f"/{PHONE_NUMBER_ID}":
            name = {
                "verified_name": "Northside Plumbing",
                "display_phone_number": OUR_NUMBER,
                "quality_rating": "GREEN",
            }
            return self.answer(200, {**name, "id": PHONE_NUMBER_ID})
        if parts.path == f"/{BUSINESS_ID}/message_templates":
            after = int(parse_qs(parts.query).get("after", ["0"])[0])
            page, rest = templates[after : after + PAGE], templates[after + PAGE :]
            paging: dict[str, Any] = {"cursors": {"before": str(after), "after": str(after + PAGE)}}
            return self.answer(200, {"data": page, "paging": paging | ({"next": "https://…"} if rest else {})})
        return self._refuse(400, 100, "Unsupported get request. Object with ID does not exist")

    def do_POST(self) -> None:
        raw = self.body()
        if self.path == f"/{PHONE_NUMBER_ID}/media":
            return self._keep(raw) if self._is_known() else self._refuse(401, 190, "Invalid OAuth access token.")
        body = json.loads(raw)
        if self.path in ("/_next", "/_templates"):
            (following if self.path == "/_next" else templates)[:] = body
            return self.answer(200, {})
        if not self._is_known():
            return self._refuse(401, 190, "Invalid OAuth access token.")
        if self.path != f"/{PHONE_NUMBER_ID}/messages":
            return self._refuse(400, 100, "Unsupported post request.")
        how = next_answer()
        return self._take(body, how)

    def do_PUT(self) -> None:
        media[self.path.rpartition("/")[2]] = self.body()
        self.answer(200, {})

    def _keep(self, raw: bytes) -> None:
        """Keep an upload: a form (RFC 7578) with the product, the type and the file."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + raw, policy=policy.HTTP).iter_parts()
        fields: dict[Any, Any] = {
            part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True) for part in parts
        }
        if fields.get("messaging_product") != b"whatsapp" or not fields.get("file"):
            return self._refuse(400, 100, "The parameter messaging_product is required.")
        media_id = str(10**14 + len(media))
        media[media_id] = fields["file"]
        return self.answer(200, {"id": media_id})

    def _take(self, message: dict[str, Any], how: Any) -> None:
        if how == "busy":
            return self._refuse(429, 130429, "Rate limit hit")
        if how == "broken":
            return self._refuse(500, 131000, "Something went wrong")
        if isinstance(how, int):
            return self._refuse(400, how, "It was refused")
        if error := _error_of(message):
            return self._refuse(400, *error)
        wamid = f"wamid.{uuid4().hex}"
        with lock:
            taken.append({"wamid": wamid, "at": time.time(), **message})
        if how == "cut":
            self.close_connection = True
            return None
        if how == "garbage":
            return self.answer(200, ["hello"])
        contacts = [{"input": message["to"], "wa_id": message["to"]}]
        shown = {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid}]}
        return self.answer(200, shown)

    def _is_known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {ACCESS_TOKEN}"

    def _refuse(self, status: int, code: int, message: str) -> None:
        error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "A"}
        self.answer(status, {"error": {**error, "error_data": {"messaging_product": "whatsapp", "details": message}}})


def _error_of(message: dict[str, Any]) -> tuple[int, str] | None:
    """What the Cloud API refuses a message for, with its error codes."""
    if message.get("messaging_product") != "whatsapp" or not str(message.get("to", "")).isdigit():
        return 100, "Invalid parameter"
    if message["type"] == "text":
        text = message.get("text", {}).get("body", "")
        return None if 0 < len(text) <= TEXT_MAX else (100, "Param text['body'] must be at most 4096 characters long")
    if message["type"] in ("image", "document", "video", "audio"):
        return None if message[message["type"]].get("id") in media else (131053, "Media upload error")
    wanted = message.get("template", {})
    known = next((row for row in templates if row["name"] == wanted.get("name")), None)
    if known is None or known["language"] != wanted.get("language", {}).get("code"):
        return 132001, "Template name does not exist in the translation"
    body = next(part["text"] for part in known["components"] if part["type"] == "BODY")
    given = [part for component in wanted.get("components", []) for part in component["parameters"]]
    return None if len(given) == body.count("{{") else (132000, "Number of parameters does not match")


if __name__ == "__main__":
    serve(Handler)
