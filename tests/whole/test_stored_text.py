"""Text that somebody else wrote is shown as text on each page and adds no header to a mail."""

from __future__ import annotations

import pytest

from conversations.models import Message
from leads.models import Lead
from tests.support.due import run_jobs

pytestmark = pytest.mark.django_db


XSS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "javascript:alert(1)",
    "{{ 7*7 }}{% debug %}", "'-alert(1)-'", "<a href='javascript:alert(1)'>x</a>", "</textarea><script>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("text", XSS)
def test_stored_text_is_shown_as_text_on_every_page(
    dana_client, dana, northside, api, token, plumbing, webhook_at, text, actor
):
    from django.utils.html import escape

    from conversations.models import Conversation
    from sources.services import update_source

    update_source(source=plumbing, actor=actor, name=text, external_id=text[:100])
    dana.name = northside.name = text
    dana.save()
    northside.save()
    plumbing.refresh_from_db()
    api.create_lead(token, first_name=text, last_name=text, request_title=text, request_data={text: text}, address=text,
                    tags=[text.replace(",", "")], unique_id=text, system_message=text, status=text, source_url=text)  # fmt: skip
    lead, conversation = Lead.objects.get(), Conversation.objects.get()
    source = plumbing.public_id
    for path in (
        "/inbox/", f"/inbox/{conversation.public_id}/", "/leads/", f"/leads/{lead.public_id}/", "/sources/",
        f"/sources/{source}/", f"/sources/{source}/edit/", f"/sources/{source}/archive/",
        f"/sources/{source}/messaging/channels/", f"/sources/{source}/messaging/integrations/", "/settings/members/",
        "/settings/audit/", "/settings/tokens/", "/settings/account/", "/sources/new/",
    ):  # fmt: skip
        answer = dana_client.get(path)
        html = answer.content.decode()
        assert answer.status_code == 200, path
        if escape(text) != text:
            assert text not in html, path
        assert 'href="javascript:' not in html
        assert "49" not in html or "{{" not in text or "{{ 7*7 }}" in html
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "'unsafe" not in answer["Content-Security-Policy"]


INJECTIONS = [
    "Ava\r\nBcc: victim@example.com",
    "Ava\nSubject: x",
    "Ava\x0b\x0cX: y",
    '"Ava" <x@y.z>, b@c.d',
    "Ava\u2028Bcc: v@e.com",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_field_that_ends_in_a_mail_adds_a_header(api, token, plumbing, text, mailoutbox, actor, dana):
    from conversations.services.notifications import notify_team
    from conversations.services.writing import write
    from messaging.email.sending import build
    from sources.services import update_source

    update_source(source=plumbing, actor=actor, name=text)
    plumbing.connections.filter(kind="email").update(name=text)
    api.create_lead(token, first_name=text, request_title=text, notifications=["auto-reply"])
    message = Message.objects.select_related("lead", "conversation", "connection").get(direction="outbound")
    sent = build(write(message)).message()
    assert sent["Bcc"] is None
    assert sent.get_all("Subject") is not None
    assert len(sent.get_all("Subject")) == 1
    assert sent["X"] is None
    assert "\n" not in sent["From"].strip()
    assert sent["From"].count("@") == 1 or '"' in sent["From"]
    notify_team(message.conversation)
    run_jobs()
    assert mailoutbox[0].message()["Bcc"] is None


@pytest.mark.parametrize("email", ["a@b.c\r\nBcc: v@e.com", "a@b.c, d@e.f", "<a@b.c>", "a b@c.d", "a@b.c\x00"])
def test_an_address_that_could_be_more_than_one_is_refused(api, token, plumbing, email):
    assert api.create_lead(token, email=email).status_code == 400
