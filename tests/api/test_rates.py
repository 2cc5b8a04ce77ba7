"""How often one may call, what the headers say, and how slow guessing keys is."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from api import guessing as guessers
from api.models import ApiToken, RateLimitWindow
from api.services import make_token
from core.http import network_of
from core.secrets import make_key
from integrations import services as cards

pytestmark = pytest.mark.django_db


@pytest.fixture
def few(settings):
    """Three calls in a minute, five in an hour."""
    settings.LEADWIRE_CALLS_PER_MINUTE, settings.LEADWIRE_CALLS_PER_HOUR = 3, 5


@pytest.fixture(autouse=True)
def nobody_guessed(monkeypatch):
    for kept in ("_refused", "_counted"):
        monkeypatch.setattr(guessers, kept, OrderedDict())


def pass_time(**ago: int) -> None:
    RateLimitWindow.objects.update(minute_at=F("minute_at") - timedelta(**ago), hour_at=F("hour_at") - timedelta(**ago))


def calls(api, key: str, count: int) -> list[int]:
    return [api.get("whoami", key).status_code for _ in range(count)]


def test_every_answer_says_how_many_calls_are_left(api, few, token):
    first, second = api.get("whoami", token), api.get("leads/lead_nothing", token)
    assert first["RateLimit-Policy"] == '"minute";q=3;w=60, "hour";q=5;w=3600'
    assert first["RateLimit"] == '"minute";r=2;t=60, "hour";r=4;t=3600'
    assert second.status_code == 404
    assert second["RateLimit"].startswith('"minute";r=1;')


def test_one_too_many_is_429_with_the_time_to_wait_and_counts_nothing(api, few, token):
    assert calls(api, token, 3) == [200, 200, 200]
    refused = api.get("whoami", token)
    assert (refused.status_code, refused.json()["code"]) == (429, "rateLimit.exceeded")
    assert 55 <= int(refused["Retry-After"]) <= 60
    assert refused["RateLimit"].startswith('"minute";r=0;')
    assert calls(api, token, 5) == [429] * 5
    assert RateLimitWindow.objects.get().hour_count == 3
    pass_time(seconds=61)
    assert calls(api, token, 3) == [200, 200, 429]  # the hour has five
    refused = api.get("whoami", token)
    assert 3400 <= int(refused["Retry-After"]) <= 3600
    pass_time(hours=1)
    assert calls(api, token, 4) == [200, 200, 200, 429]


def test_each_principal_has_a_limit_of_its_own(api, few, token, key_of, plumbing, dana, actor):
    other = make_token(creator=Membership.objects.get(user=dana), actor=actor, name="B", scopes=["leads:read"])[1]
    assert calls(api, token, 4)[-1] == 429
    assert calls(api, other, 4) == [200, 200, 200, 429]
    assert calls(api, key_of(plumbing), 1) == [200]


def test_a_key_that_two_locations_inherit_has_three_times_the_limit(
    api, few, key_of, plumbing, eastgate, westgate, actor
):
    key = key_of(plumbing)
    for location in (eastgate, westgate):
        cards.set_inherits(card=location.leadreplyapi, inherits=True, actor=actor)
    assert api.get("whoami", key)["RateLimit-Policy"] == '"minute";q=9;w=60, "hour";q=15;w=3600'
    assert calls(api, key, 9) == [200] * 8 + [429]


def test_two_keys_in_overlap_share_one_limit(api, few, key_of, plumbing, actor):
    old = key_of(plumbing)
    new = cards.regenerate(card=plumbing.leadreplyapi, actor=actor, overlap=timedelta(hours=1)).secrets["Secret key"]
    assert calls(api, old, 2) + calls(api, new, 2) == [200, 200, 200, 429]


def test_a_refused_call_has_no_effect(api, few, token, plumbing):
    from leads.models import Lead

    answers = [api.create_lead(token, email=f"a{number}@example.net").status_code for number in range(5)]
    assert answers == [201, 201, 201, 429, 429]
    assert Lead.objects.count() == 3


def test_guessing_keys_is_slow_and_hinders_nobody_behind_the_same_address(api, settings, token, key_of, plumbing):
    settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE = 5
    secret = key_of(plumbing)
    assert [calls(api, make_key("lwa_"), 1) for _ in range(5)] == [[401]] * 5
    for _ in range(3):
        refused = api.get("whoami", make_key("lwa_"))
        assert (refused.status_code, refused.json()["code"]) == (429, "rateLimit.guessing")
        assert 1 <= int(refused["Retry-After"]) <= 60
        assert calls(api, token, 1) + calls(api, secret, 1) == [200, 200]
    elsewhere = {"headers": {"Authorization": f"Bearer {make_key('lwa_')}"}, "REMOTE_ADDR": "192.0.2.9"}
    assert api.client.get("/v1/whoami", **elsewhere).status_code == 401


def test_a_mistyped_key_is_refused_without_a_look_at_the_database(api, settings, token):
    settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE = 1
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    with CaptureQueriesContext(connection) as seen:
        assert calls(api, wrong, 10) == [401] * 10
    assert len(seen) == 0
    assert calls(api, token, 1) == [200]


def test_a_key_that_ended_is_no_guess(api, settings, token, key_of, plumbing, actor):
    settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE = 3
    old, other = key_of(plumbing), make_token(creator=Membership.objects.get(), actor=actor, name="B", scopes=[])[1]
    cards.regenerate(card=plumbing.leadreplyapi, actor=actor)
    ApiToken.objects.filter(name="B").update(expires_at=timezone.now() - timedelta(seconds=1))
    assert calls(api, old, 5) + calls(api, other, 5) == [401] * 10
    assert calls(api, token, 1) == [200], "one customer's old key shuts nobody out"


def test_an_ipv6_network_is_one_guesser():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
