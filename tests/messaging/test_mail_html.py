"""A mail as its writer laid it out: nothing in it runs, posts, or tells its sender that it was read."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from conversations.models import Message
from core.mime.html import safe_html
from tests.support.people import log_in, person

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate/></svg>",
    "<iframe src=https://evil.example></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='data:text/html,x'>x</a>",
    "<form action=https://evil.example><input name=password></form>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<p style='background:url(https://evil.example/x)'>x</p>",
    "<p style='position:fixed;top:0'>x</p>",
    "<link rel=stylesheet href=https://evil.example><meta http-equiv=refresh content='0;https://evil.example'>",
    "<base href=https://evil.example><object data=x></object><embed src=x>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'>",
]


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_is_left_that_runs_loads_or_posts(html):
    clean = safe_html(f"<p>Hello</p>{html}").lower()
    assert "<p>hello</p>" in clean
    for bad in ("script", "onerror=", "onload", "<iframe", "<form", "<input", "<style", "@import", "url(", "position",
                "<link", "<meta", "<base", "<object", "<embed", "data:"):  # fmt: skip
        assert bad not in clean, clean


def test_what_a_letter_looks_like_is_kept():
    clean = safe_html(
        '<h1 style="color:red">Hi</h1><table><tr><td bgcolor="#eee">1</td></tr></table><a href="https://x.y">x</a>'
    )
    assert '<h1 style="color:red">Hi</h1>' in clean
    assert '<td bgcolor="#eee">1</td>' in clean
    assert 'rel="noopener noreferrer nofollow"' in clean
    assert 'target="_blank"' in clean


def test_what_is_nested_without_end_is_cut_off():
    """It took 35 seconds to clean, in the web server."""
    clean = safe_html("<p>Hello</p>" + "<div>" * 100_000 + "lost")
    assert "Hello" in clean
    assert clean.count("<div>") <= 200


def test_many_tags_that_are_closed_or_need_no_end_are_kept():
    clean = safe_html("<p>one<br></p>" * 1_000 + "last")
    assert clean.count("<p>") == 1_000
    assert "last" in clean


def letter(html: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "Ava <ava@example.net>", "Tap", "<1@x>"
    mail.set_content("My tap leaks.")
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


@pytest.fixture
def message(db, receive, address_of, eastgate) -> Message:
    receive(
        address_of(eastgate), letter("<p>My <b>tap</b> leaks.</p><img src='https://x.example/1.gif'><script>1</script>")
    )
    return Message.objects.get()


@pytest.mark.django_db
def test_it_is_shown_in_a_frame_without_an_origin(dana_client, message):
    page = dana_client.get(f"/inbox/{message.conversation.public_id}/").content.decode()
    url = f"/messages/{message.public_id}/html/"
    assert url in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    frame = dana_client.get(url)
    assert "<b>tap</b>" in frame.content.decode()
    assert "<script" not in frame.content.decode()
    policy = frame["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "img-src" not in policy or "https:" not in policy.partition("img-src")[2].partition(";")[0]
    assert (frame["X-Frame-Options"], frame["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")
    assert frame["Cache-Control"] == "no-store"
    asked = dana_client.get(f"{url}?pictures=1")["Content-Security-Policy"]
    assert "https:" in asked.partition("img-src")[2].partition(";")[0]


@pytest.mark.django_db
def test_a_mail_of_plain_text_has_no_frame(dana_client, receive, address_of, eastgate):
    receive(address_of(eastgate), b"From: Ava <ava@example.net>\r\nMessage-ID: <2@x>\r\n\r\nMy tap leaks.")
    message = Message.objects.get()
    assert "/html/" not in dana_client.get(f"/inbox/{message.conversation.public_id}/").content.decode()
    assert dana_client.get(f"/messages/{message.public_id}/html/").status_code == 404


@pytest.mark.django_db
def test_it_is_for_those_who_see_the_conversation(message, northside, westgate, eve):
    for user in (eve, person("wes", northside, "agent", westgate)):
        assert log_in(user).get(f"/messages/{message.public_id}/html/").status_code == 404
