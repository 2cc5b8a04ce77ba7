"""Secrets of connections are in no page, answer, log, audit row or column in the clear."""

from __future__ import annotations

import logging

import pytest

from accounts.models import Membership
from api.services import make_token
from messaging.esp.ses import _client as ses_client
from messaging.registry import PROVIDERS
from messaging.services import change, connect, disconnect
from messaging.trying import check, send_test
from tests.conversations.test_personal_data import columns_with

pytestmark = pytest.mark.django_db
CANARY = "kiwisecret4711"
ACCOUNTS = {
    "twilio": {"account_sid": "AC" + "1" * 32, "auth_token": f"{CANARY}a"},
    "smtp": {"password": f"{CANARY}d", "smtp_host": "127.0.0.1", "smtp_port": "1", "imap_host": "127.0.0.1"},
    "postmark": {"server_token": f"{CANARY}e", "webhook_password": f"{CANARY}ffffffffff"},
    "mailgun": {"api_key": f"{CANARY}g", "signing_key": f"{CANARY}h", "sending_domain": "mg.northside.example"},
    "sendgrid": {"api_key": f"{CANARY}i", "webhook_password": f"{CANARY}jjjjjjjjjj"},
    "ses": {
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": f"{CANARY}k",
        "region": "eu-west-1",
        "webhook_password": f"{CANARY}llllllllll",
    },
    "meta": {
        "phone_number_id": "1" * 15,
        "business_account_id": "2" * 15,
        "access_token": f"{CANARY}b",
        "app_secret": f"{CANARY}c",
    },
}

ADDRESSES = {"twilio": "+15005550006", "meta": "+15005550006"}  # others are of mail
TO = {"twilio": "+14155550100", "meta": "+14155550100"}


@pytest.fixture
def ses_nowhere(settings):
    settings.LEADWIRE_SES_URL = "http://127.0.0.1:9"
    ses_client.cache_clear()
    yield
    ses_client.cache_clear()


@pytest.mark.parametrize("provider", ACCOUNTS)
def test_a_secret_goes_in_and_never_comes_out(
    provider,
    plumbing,
    actor,
    dana,
    dana_client,
    api,
    twilio_server,
    meta_server,
    esp_server,
    ses_nowhere,
    caplog,
    client,
):
    caplog.set_level(logging.DEBUG)
    connection = connect(
        source=plumbing,
        actor=actor,
        provider=PROVIDERS[provider],
        name="Line",
        own_address=ADDRESSES.get(provider, "sales@northside.example"),
        settings=ACCOUNTS[provider],
    )
    assert check(connection=connection, actor=actor)["ok"] is False  # the server knows others
    send_test(connection=connection, actor=actor, to=TO.get(provider, "dana@example.net"))
    change(connection=connection, actor=actor, settings=ACCOUNTS[provider])
    client.post(f"/channels/{connection.callback_token}/", b"{}", content_type="application/json")
    creator = Membership.objects.get(user=dana)
    key = make_token(creator=creator, actor=actor, name="Ops", scopes=["channels:write"])[1]
    shown = [
        dana_client.get(f"/settings/channels/{path}").text
        for path in ("", f"{connection.pk}/", f"{connection.pk}/edit/", f"{connection.pk}/remove/")
    ]
    edit = dana_client.post(f"/settings/channels/{connection.pk}/edit/", {**ACCOUNTS[provider], "name": ""})
    answers = [
        api.get(f"messaging-channel-connections/{connection.pk}", key),
        api.get("messaging-channel-connections", key),
    ]
    texts = [*shown, edit.text, *(answer.text for answer in answers), caplog.text, repr(connection)]
    texts.append(dana_client.get("/settings/audit/").text)
    assert not any(CANARY in text for text in texts)
    assert columns_with(CANARY) == []
    disconnect(connection=connection, actor=actor)
    assert columns_with(CANARY) == []
