"""Input that once made an answer of 500."""

from __future__ import annotations

import base64
import json
from uuid import uuid4

import pytest

from accounts.actors import SYSTEM
from accounts.models import Membership
from api.services import make_token
from conversations.models import Conversation
from conversations.services.lifecycle import close, reopen
from conversations.services.replies import Author, Reply, send_reply
from conversations.views.forms import PER_ADDRESS
from core.ids import encode
from tests.support.people import log_in

pytestmark = pytest.mark.django_db


def cursor(*values: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.fixture
def key(dana, actor) -> str:
    creator = Membership.objects.get(user=dana)
    return make_token(
        creator=creator, actor=actor, name="All", scopes=["conversations:read", "sources:write", "webhooks:read"]
    )[1]


def test_the_thanks_of_a_form_that_is_not_there(client):
    assert client.get(f"/forms/{encode('src', uuid4())}/thanks").status_code == 404


@pytest.mark.parametrize("target", ["https://[::1", "//[", "https://x]"])
def test_a_next_page_that_is_no_url(client, dana, target):
    assert client.get("/accounts/login/", {"next": target}).status_code == 200


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_cursor_of_no_time(api, key, dana, moment):
    bad = cursor(moment, "0" * 32)
    assert api.get(f"conversations?cursor={bad}", key).status_code == 400
    assert log_in(dana).get("/inbox/", {"cursor": bad}).status_code in (200, 302)


@pytest.mark.parametrize("path", ["conversations", "events", "sources"])
def test_an_empty_cursor_is_the_beginning(api, key, path):
    assert api.get(f"{path}?cursor=", key).status_code == 200


def test_a_website_that_is_no_url(api, key, plumbing):
    answer = api.call("PATCH", f"sources/{plumbing.public_id}", key, {"form_origins": ["https://[::1"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "#/form_origins")


def test_who_has_a_network_has_no_more_forms_than_others(api, client, plumbing, settings):
    """An IPv6 customer has 2**64 addresses."""
    settings.TRUSTED_PROXIES = 1
    path = f"/forms/{plumbing.public_id}"
    statuses = []
    for number in range(PER_ADDRESS + 1):
        fields = {"name": "Ava", "email": f"a{number}@x.example", "message": "Tap"}
        came_from = {"X-Forwarded-For": f"2001:db8::{number + 1:x}"}
        statuses.append(client.post(path, fields, content_type="application/json", headers=came_from).status_code)
    assert statuses == [201] * PER_ADDRESS + [429]


def test_what_is_reopened_without_an_answer_waits_for_one_again(plumbing, lead_at):
    lead = lead_at(plumbing)
    waiting = Conversation.objects.get()
    close(conversation_id=waiting.pk, actor=SYSTEM)
    assert reopen(conversation_id=waiting.pk, actor=SYSTEM).waiting_since == waiting.messages.first().created_at
    send_reply(lead_id=lead.pk, reply=Reply("We come."), author=Author("staff", "Dana"))
    close(conversation_id=waiting.pk, actor=SYSTEM)
    assert reopen(conversation_id=waiting.pk, actor=SYSTEM).waiting_since is None


def test_a_format_in_the_query_is_a_parameter_that_nobody_knows(api, key):
    """REST framework read it as a wish for another representation, and answered 404."""
    answer = api.get("conversations?format=xml", key)
    assert answer.status_code == 400, answer.content
    assert [error["parameter"] for error in answer.json()["errors"]] == ["format"]
