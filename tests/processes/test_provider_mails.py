"""Whole mails that a provider posts, to the real web: large ones come in, and only where somebody is to take them."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from urllib.parse import urlsplit

import pytest

from core.ids import decode
from tests.processes.conftest import inside
from tests.support.esp import MailgunCalls, form
from tests.support.files import mail_with
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

CONNECT = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Source
from messaging.registry import PROVIDERS
from messaging.services import connect
source_id, settings = json.load(sys.stdin)
connection = connect(source=Source.objects.get(pk=source_id), actor=SYSTEM, provider=PROVIDERS["mailgun"], name="Sales",
                     own_address="sales@northside.example", settings=settings)
print(json.dumps(connection.callback_token))
"""
LARGE = 17 * 1024 * 1024  # bytes of a file, which base64 makes 23 MB of
KEPT = "SELECT outcome, octet_length(raw) FROM messaging_inboundmail m JOIN messaging_channelconnection c"
KEPT += " ON c.id = m.connection_id WHERE c.callback_token = '{}'"


def test_a_mail_of_23_mb_comes_in_by_a_call_and_from_nobody_else(place, running):
    token = json.loads(inside(running, CONNECT, json.dumps([source_uuid(place), MailgunCalls.settings])))
    raw = mail_with(("plan.bin", os.urandom(LARGE)), text="See the plan.")
    signed = MailgunCalls().signed()
    body, content_type = form({**signed, "sender": "ava@example.net", "recipient": "x@y.example", "body-mime": raw})
    assert post(f"{running.url}/channels/{token}/mime", body, content_type) == 200
    assert begin(f"{running.url}/channels/{'0' * 26}/mime", len(body)) == 413
    wait_until(lambda: place.sql(KEPT.format(token)) == [("message", len(raw))], 60)


def post(url: str, body: bytes, content_type: str) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": content_type}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


def begin(url: str, length: int) -> int:
    """Say that a body of this length is to come, and return the answer to that."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    connection.request("POST", parts.path, headers={"Content-Length": str(length)})
    with connection.getresponse() as answer:
        connection.close()
        return answer.status


def source_uuid(place) -> str:
    return str(decode("src", place.source))
