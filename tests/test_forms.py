"""The website form: repeats, robots, origins."""

from __future__ import annotations

import pytest

from conversations.models import Message
from leads.models import Lead

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def post_form(client, plumbing):
    from urllib.parse import urlencode

    def post(source=plumbing, headers=None, **fields):
        path = f"/forms/{source.public_id}"
        return client.post(
            path, urlencode(fields), content_type="application/x-www-form-urlencoded", headers=headers or {}
        )

    return post


def test_the_same_form_twice_is_one_message(post_form):
    body = {"name": "Ava Brooks", "email": "ava@example.net", "message": "Hello", "_nonce": "n-1"}
    assert [post_form(**body).status_code for _ in range(2)] == [303, 303]
    assert Message.objects.count() == 1


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
    OnceUsed.objects.update(expires_at=LONG_AGO)
    post_form(name="Ava", message="Hello")
    assert Message.objects.count() == 2
