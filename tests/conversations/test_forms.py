"""The website form: repeats, robots, origins."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from conversations.models import Message
from leads.models import Lead

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def post_form(client, plumbing):
    def post(source=plumbing, headers=None, sender="192.0.2.1", **fields):
        kind = "application/x-www-form-urlencoded"
        path, body = f"/forms/{source.public_id}", urlencode(fields)
        return client.post(path, body, content_type=kind, headers=headers or {}, REMOTE_ADDR=sender)

    return post


def test_the_same_form_twice_is_one_message(post_form):
    body = {"name": "Ava Brooks", "email": "ava@example.net", "message": "Hello", "_nonce": "n-1"}
    assert [post_form(**body).status_code for _ in range(2)] == [303, 303]
    assert Message.objects.count() == 1


def test_other_words_or_another_nonce_are_another_message(post_form):
    for message, nonce in (("Hello", "n-1"), ("Hello", "n-1"), ("Hello, and more", "n-1"), ("Hello", "n-2")):
        post_form(name="Ava", message=message, _nonce=nonce)
    assert [message.content for message in Message.objects.order_by("id")] == ["Hello", "Hello, and more", "Hello"]


def test_a_website_can_read_why_its_form_was_refused(post_form, plumbing):
    plumbing.form_origins = ["https://north.example"]
    plumbing.save()
    asked = {"Origin": "https://north.example", "Accept": "application/json"}
    refused = post_form(name="Ava", email="no address", headers=asked)
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (400, "https://north.example")
    for _ in range(20):
        post_form(name="Ava", headers=asked)
    late = post_form(name="Ava", headers=asked)
    assert (late.status_code, late["Access-Control-Allow-Origin"]) == (429, "https://north.example")
    assert late["Access-Control-Expose-Headers"] == "Retry-After"
    page = post_form(name="Ava", headers={"Origin": "https://north.example"})
    assert (page.status_code, page["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert int(page["Retry-After"]) >= 1
    stranger = post_form(name="Ava", headers={**asked, "Origin": "https://evil.example"})
    assert (stranger.status_code, stranger.has_header("Access-Control-Allow-Origin")) == (403, False)


def test_the_form_keeps_fields_that_it_does_not_know(post_form):
    post_form(name="Ava Brooks", email="ava@example.net", message="Hello", roof="flat")
    assert Message.objects.get().content == "Hello\n\nroof: flat"
    assert (Lead.objects.get().first_name, Lead.objects.get().last_name) == ("Ava", "Brooks")


def test_a_robot_in_the_honeypot_reads_thanks_and_nothing_is_kept(post_form):
    assert post_form(name="Bot", email="bot@example.net", _website="http://spam.example").status_code == 303
    assert not Lead.objects.exists()


def test_only_allowed_websites_may_post_the_form(post_form, plumbing):
    plumbing.form_origins = ["https://north.example"]
    plumbing.save()
    assert post_form(name="Ava", headers={"Origin": "https://evil.example"}).status_code == 403
    assert post_form(name="Ava", headers={"Origin": "https://north.example"}).status_code == 303


def test_the_form_redirects_only_to_allowed_websites(post_form, plumbing):
    assert post_form(name="Ava", _next="https://evil.example/")["Location"].startswith("/forms/")
    plumbing.form_origins = ["https://north.example"]
    plumbing.save()
    origin = {"Origin": "https://north.example"}
    answer = post_form(name="Bob", _next="https://north.example/thanks", headers=origin)
    assert answer["Location"] == "https://north.example/thanks"


def test_the_form_is_throttled_per_address(post_form):
    answers = [post_form(name=f"Ava {number}").status_code for number in range(21)]
    assert answers == [303] * 20 + [429]


def test_the_same_body_from_the_same_address_within_a_minute_is_one(post_form):
    from conversations.models import UsedNonce

    post_form(name="Ava", message="Hello")
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 1
    [left] = [nonce.expires_at - timezone.now() for nonce in UsedNonce.objects.all()]
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    post_form(name="Ava", message="Hello", sender="192.0.2.2")  # from elsewhere
    assert Message.objects.count() == 2
    UsedNonce.objects.update(expires_at=LONG_AGO)
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 3
