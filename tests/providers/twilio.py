"""Twilio's Messages API, as far as it is used: https://www.twilio.com/docs/messaging/api/message-resource

    python -m tests.providers.twilio PORT

`POST /_next` takes a list of how the next messages are answered: "busy" (429), "broken" (500), "cut" (taken, and the
line breaks before the answer), "silent" (taken, and no answer), "garbage" (somebody else's answer), or one of Twilio's
error codes. `GET /_taken` shows what was taken, with the server's own time. `PUT /_media/ID` keeps a file that somebody
sent: its address wants the account's credentials and moves on to one that refuses them, as at Twilio.
"""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from tests.providers.answering import Answering, following, lock, next_answer, serve, taken

ACCOUNT_SID, AUTH_TOKEN = "AC" + "0" * 32, "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OUR_NUMBER = "+15005550006"
_MESSAGES = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/Messages\.json")
_MEDIA = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/Messages/MM1/Media/(ME\w+)")
_ACCOUNT = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})\.json")

media: dict[str, bytes] = {}


class Handler(Answering):
    def do_GET(self) -> None:
        if self.path == "/_taken":
            return self.answer(200, taken)
        if self.path.startswith("/_media/"):
            return self._give(self.path.rpartition("/")[2])
        if file := _MEDIA.fullmatch(self.path):
            if not self._is_known(file[1]):
                return self._refuse(401, 20003, "Authenticate")
            return self.answer(307, {}, {"Location": f"/_media/{file[2]}"})
        match = _ACCOUNT.fullmatch(self.path)
        if match is None:
            return self._refuse(404, 20404, "The requested resource was not found")
        if not self._is_known(match[1]):
            return self._refuse(401, 20003, "Authenticate")
        return self.answer(200, {"sid": match[1], "friendly_name": "Northside Plumbing", "status": "active"})

    def do_PUT(self) -> None:
        media[self.path.rpartition("/")[2]] = self.body()
        self.answer(200, {})

    def _give(self, media_id: str) -> None:
        if self.headers.get("Authorization"):  # as a store of files does, where a link has its own signature
            return self._refuse(400, 0, "Only one auth mechanism allowed")
        if media_id not in media:
            return self._refuse(404, 20404, "The requested resource was not found")
        return self.answer(200, media[media_id], {"Content-Type": "application/octet-stream"})

    def do_POST(self) -> None:
        body = self.body()
        if self.path == "/_next":
            following[:] = json.loads(body)
            return self.answer(200, {})
        match = _MESSAGES.fullmatch(self.path)
        if match is None:
            return self._refuse(404, 20404, "The requested resource was not found")
        if not self._is_known(match[1]):
            return self._refuse(401, 20003, "Authenticate")
        how = next_answer()
        fields = parse_qs(body.decode())
        media_urls = {"MediaUrls": fields.pop("MediaUrl")} if "MediaUrl" in fields else {}
        return self._take({name: values[-1] for name, values in fields.items()} | media_urls, how)

    def _take(self, fields: dict[str, Any], how: Any) -> None:
        if how == "busy":
            return self._refuse(429, 20429, "Too Many Requests", {"Retry-After": "7"})
        if how == "broken":
            return self._refuse(500, 20500, "An internal server error has occurred")
        if isinstance(how, int):
            return self._refuse(400, how, "It was refused")
        if error := _error_of(fields):
            return self._refuse(400, *error)
        sid = "SM" + uuid4().hex
        with lock:
            taken.append({"sid": sid, "at": time.time(), **fields})
        if how == "cut":
            self.close_connection = True
            return None
        if how == "silent":
            time.sleep(60)
            return None
        if how == "garbage":
            return self.answer(200, ["hello"])
        segments = str(-(-len(fields.get("Body", "")) // 160))
        return self.answer(201, {"sid": sid, "status": "queued", "num_segments": segments, "error_code": None})

    def _is_known(self, sid: str) -> bool:
        expected = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        return sid == ACCOUNT_SID and self.headers.get("Authorization") == expected

    def _refuse(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        self.answer(status, {"code": code, "message": message, "more_info": more, "status": status}, headers)


def _error_of(fields: dict[str, Any]) -> tuple[int, str] | None:
    """What Twilio refuses a message for, with its error codes."""
    if not re.fullmatch(r"\+[1-9]\d{6,14}", fields.get("To", "")):
        return 21211, "The 'To' number is not a valid phone number."
    if not fields.get("Body") and not fields.get("MediaUrls"):
        return 21602, "Message body is required."
    if len(fields.get("Body", "")) > 1600:
        return 21617, "The concatenated message body exceeds the 1600 character limit."
    if not fields.get("MessagingServiceSid") and fields.get("From") != OUR_NUMBER:
        return 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number."
    return None


if __name__ == "__main__":
    serve(Handler)
