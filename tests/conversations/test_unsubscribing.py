"""One click, and a lead gets no more mail (RFC 8058)."""

from __future__ import annotations

import pytest
from django.test import Client

from conversations.models import Conversation, Message
from conversations.services.writing import unsubscribe_url_of, write
from leads.models import OptOut
from messaging.email.sending import build
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(lead_at, eastgate) -> Conversation:
    lead_at(eastgate, "ava@example.net")
    return Conversation.objects.get()


@pytest.fixture
def path(conversation) -> str:
    return f"/unsubscribe/{conversation.reply_token}/"


def message(conversation: Conversation, author: str) -> Message:
    connection = conversation.source.connections.get(provider="installation")
    return Message.objects.create(
        organization_id=conversation.organization_id, source_id=conversation.source_id, lead_id=conversation.lead_id,
        conversation=conversation, connection=connection, direction="outbound", author=author, content="Thank you!",
        status="queued",
    )  # fmt: skip


def test_only_mail_that_nobody_decided_on_offers_it(conversation):
    automatic, by_team = (build(write(message(conversation, author))) for author in ("automation", "staff"))
    url = unsubscribe_url_of(conversation)
    assert automatic.extra_headers["List-Unsubscribe"] == f"<{url}>"
    assert automatic.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in automatic.body
    assert url in str(automatic.alternatives[0][0])
    assert "List-Unsubscribe" not in by_team.extra_headers
    assert "nsubscribe" not in by_team.body


def test_opening_the_page_changes_nothing(client, path):
    page = client.get(path)
    assert "Stop all emails from Eastgate" in page.content.decode()
    assert not OptOut.objects.exists()


def test_one_click_of_a_mail_program_is_enough(path):
    """No cookie, no CSRF token; and again, and it is done once."""
    program = Client(enforce_csrf_checks=True)
    for _ in range(2):
        assert program.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert OptOut.objects.in_force().get().reason == "unsubscribe"
    assert Event.objects.filter(type="lead.opted_out").count() == 1


@pytest.mark.parametrize("token", ["0" * 32, "x", "%00", "a" * 5000, "é"])
def test_a_token_that_is_none_opens_nothing(client, path, token):
    assert client.post(f"/unsubscribe/{token}/").status_code == 404
    assert not OptOut.objects.exists()


def test_of_an_erased_lead_nothing_is_left_to_stop(conversation, path, client, actor):
    from conversations.services.erasing import erase_lead

    erase_lead(lead=conversation.lead, actor=actor)
    assert client.post(path).status_code == 404
