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


def test_a_nonce_counts_once_whatever_the_body_and_two_nonces_are_two_messages(post_form):
    post_form(name="Ava", message="Hello", _nonce="n-1")
    post_form(name="Ava", message="Hello, edited", _nonce="n-1")
    assert Message.objects.get().content == "Hello"
    post_form(name="Ava", message="Hello", _nonce="n-2")
    assert Message.objects.count() == 2


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
    from integrations.models import OnceUsed

    post_form(name="Ava", message="Hello")
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 1
    [left] = [one.expires_at - timezone.now() for one in OnceUsed.objects.all()]
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    post_form(name="Ava", message="Hello", sender="192.0.2.2")  # from elsewhere
    assert Message.objects.count() == 2
    OnceUsed.objects.update(expires_at=LONG_AGO)
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 3
