"""Sender, Reply-To and signature of a connection's mails."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry, Membership
from api.services import make_token
from conversations.models import Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send
from messaging.models import MailSettings
from tests.support.due import claim_of

pytestmark = pytest.mark.django_db
HTML = (
    '<p style="color:#334455">Dana <b>Reed</b><script>alert(1)</script></p>'
    '<img src="https://northside.example/logo.png" onerror="x()"><form action="https://evil.example"><input></form>'
)


@pytest.fixture
def settings_page(eastgate, address_of) -> str:
    return f"/settings/channels/{address_of(eastgate).pk}/mail/"


@pytest.fixture
def mail_of(eastgate, lead_at, mail_server):
    """Answer a lead, and return the mail that went out."""

    def answer():
        author = Author(Message.Author.STAFF, "Dana")
        message = send_reply(lead_id=lead_at(eastgate).pk, reply=Reply("We come at four."), author=author)
        _send(claim_of(message))
        return mail_server.mails[-1]

    return answer


def plain(mail) -> str:
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n").strip()


def html(mail) -> str:
    return mail.get_body(("html",)).get_content()


def test_without_any_a_mail_is_as_it_was(mail_of, eastgate, address_of):
    mail = mail_of()
    assert plain(mail) == "We come at four."
    assert mail["From"] == f"Eastgate <{address_of(eastgate).address}>"


def test_a_mail_has_what_was_chosen(dana_client, settings_page, mail_of, address_of, eastgate):
    values = {
        "sender_name": "Dana Reed ☃",
        "reply_to": "Office@Northside.example",
        "signature_text": "Dana Reed\nOffice",
    }
    assert dana_client.post(settings_page, values)["Location"] == settings_page
    mail = mail_of()
    assert plain(mail) == "We come at four.\n\n-- \nDana Reed\nOffice"
    assert "Dana Reed<br>Office" in html(mail)
    assert mail["From"] == f"Dana Reed ☃ <{address_of(eastgate).address}>"
    assert mail["Reply-To"] == "office@northside.example"
    assert Message.objects.get(direction="outbound").content == "We come at four."  # the team reads no signatures


def test_html_of_a_signature_is_made_harmless(dana_client, settings_page, mail_of):
    dana_client.post(settings_page, {"signature_html": HTML})
    mail = mail_of()
    assert '<p style="color:#334455">Dana <b>Reed</b></p>' in html(mail)
    assert 'src="https://northside.example/logo.png"' in html(mail)
    for bad in ("script", "alert", "onerror", "<form", "<input"):
        assert bad not in html(mail)
    assert plain(mail).endswith("-- \nDana Reed")


def test_the_preview_is_the_mail_in_a_frame_without_an_origin(dana_client, settings_page):
    dana_client.post(settings_page, {"signature_html": HTML, "signature_text": "Dana"})
    shown = dana_client.get(settings_page).content.decode()
    assert "-- \nDana" in shown
    frame = dana_client.get(f"{settings_page}preview/")
    assert "Dana <b>Reed</b>" in frame.content.decode()
    assert "sandbox" in frame["Content-Security-Policy"]
    assert "script-src 'none'" in frame["Content-Security-Policy"]
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reply_to", "nobody"),
        ("reply_to", "a@example.net\r\nBcc: b@example.net"),
        ("sender_name", "x" * 101),
        ("sender_name", "a\x00b"),
        ("signature_text", "x" * 2_001),
        ("signature_html", "x" * 20_001),
    ],
)
def test_what_cannot_be_is_refused(dana_client, settings_page, field, value):
    answer = dana_client.post(settings_page, {field: value})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode() or "invalid-feedback" in answer.content.decode()
    assert not MailSettings.objects.exists()


def test_a_name_with_line_breaks_adds_no_header(dana_client, settings_page, mail_of):
    dana_client.post(settings_page, {"sender_name": 'Dana\r\nBcc: evil@example.net "x" <y>'})
    mail = mail_of()
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].addr_spec.endswith("@mail.localhost")


def test_who_may_not_configure_changes_nothing(settings_page, northside, eve, client):
    from tests.support.people import log_in, person

    agent = log_in(person("agent", northside, "agent"))
    for caller in (client, agent, log_in(eve)):
        for path in (settings_page, f"{settings_page}preview/"):
            assert caller.get(path).status_code in (302, 403, 404)
        assert caller.post(settings_page, {"sender_name": "Mine"}).status_code in (302, 403, 404)
    assert not MailSettings.objects.exists()


def test_the_api_does_the_same(api, dana, actor, mailbox):
    creator = Membership.objects.get(user=dana)
    token = make_token(creator=creator, actor=actor, name="X", scopes=["channels:write"])[1]
    path = f"messaging-channel-connections/{mailbox.pk}"
    answer = api.call("PATCH", path, token, {"mail": {"signature_html": HTML, "sender_name": "Dana"}})
    shown = answer.json()["data"]["messaging_channel_connection"]["mail"]
    assert (shown["sender_name"], shown["reply_to"], shown["signature_text"]) == ("Dana", "", "Dana Reed")
    assert "script" not in shown["signature_html"]
    wrong = api.call("PATCH", path, token, {"mail": {"reply_to": "nobody"}})
    assert wrong.json()["errors"][0]["pointer"] == "#/mail/reply_to"
    assert AuditEntry.objects.filter(action="channel.mail").count() == 1


def test_only_mail_has_them(api, dana, actor, sms):
    creator = Membership.objects.get(user=dana)
    token = make_token(creator=creator, actor=actor, name="X", scopes=["channels:write"])[1]
    answer = api.call("PATCH", f"messaging-channel-connections/{sms.pk}", token, {"mail": {"sender_name": "Dana"}})
    assert answer.json()["errors"][0]["pointer"] == "#/mail"


def test_rules_of_a_style_sheet_stand_on_the_elements(dana_client, settings_page, mail_of):
    sheet = "<style>@import url(https://evil.example/x.css); .name { color: #334455; position: fixed }</style>"
    link = '<link rel="stylesheet" href="file:///etc/passwd">'
    dana_client.post(settings_page, {"signature_html": f'{sheet}{link}<p class="name">Dana Reed</p>'})
    shown = html(mail_of())
    assert '<p style="color:#334455">Dana Reed</p>' in shown
    assert not any(word in shown for word in ("<style", "<link", "evil.example", "position", "root:"))


@pytest.mark.parametrize("sheet", ["<style>", "<style>}}}{{", "<style>p{color:\x00red}", "<style><style><style>p{"])
def test_a_broken_style_sheet_harms_nothing(dana_client, settings_page, sheet):
    assert dana_client.post(settings_page, {"signature_html": f"{sheet}</style><p>Dana</p>"}).status_code in (200, 302)
