"""Secrets are shown once, stored encrypted, and appear in no log, page or audit row."""

from __future__ import annotations

import logging

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry
from core.ids import encode, uuid7
from core.secrets import Secret, Unreadable, make_key
from integrations import services as cards
from tests.support.people import log_in, person
from webhooks.models import Attempt

pytestmark = pytest.mark.django_db


def test_an_inherited_url_is_hidden_on_the_delivery_page(northside, plumbing, eastgate, actor, webhook_at, lead_at):

    webhook_at(plumbing, "http://127.0.0.1:9/TOKEN-IN-PATH")
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    url, lane = "http://127.0.0.1:9/TOKEN-IN-PATH", eastgate.restwebhook.lane_id

    delivery = uuid7()
    Attempt.objects.create(
        delivery_id=delivery, event_id=uuid7(), lane_id=lane, organization_id=northside.pk, source_id=eastgate.pk,
        event_type="lead.created", number=1, started_at=timezone.now(), outcome="delivered", status_code=200, url=url,
        request_headers={"webhook-signature": "v1,SIGNATURE"}, answer_body="ANSWER",
    )  # fmt: skip
    page = log_in(person("maya", northside, "manager", eastgate)).get(f"/deliveries/{encode('dlv', delivery)}/")
    html = page.content.decode()
    assert page.status_code == 200
    for secret in ("TOKEN-IN-PATH", "SIGNATURE", "ANSWER"):
        assert secret not in html


def test_the_audit_log_keeps_no_query_of_a_url(plumbing, actor):
    cards.set_up(card=plumbing.restwebhook, actor=actor, url="https://crm.example.com?token=SECRET")
    assert "SECRET" not in str(list(AuditEntry.objects.values_list("after", flat=True)))


def test_a_secret_shows_itself_only_when_asked_by_name(plumbing, actor):
    fresh = cards.set_up(card=plumbing.restwebhook, actor=actor, url="https://crm.example.com")
    stored = plumbing.restwebhook.secrets.get()
    for text in (
        repr(stored.header_secret),
        str(stored.header_secret),
        repr(stored.__dict__),
        f"{stored.signing_secret}",
    ):
        assert not any(secret in text for secret in fresh.secrets.values())
    assert stored.header_secret.reveal() == fresh.secrets["Secret key"]


def test_only_hashes_of_keys_are_stored(plumbing, key_of, token):
    key = key_of(plumbing)
    with connection.cursor() as cursor:
        for table in (
            "lead_reply_api_replykey",
            "api_apitoken",
            "api_apicall",
            "accounts_auditentry",
        ):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")  # noqa: S608
            text = cursor.fetchone()[0] or ""
            assert key not in text
            assert token not in text


def test_no_key_is_logged(api, plumbing, key_of, lead_at, caplog):
    key = key_of(plumbing)
    with caplog.at_level(logging.DEBUG):
        api.reply(key, lead_at(plumbing))
    assert key not in caplog.text


def test_pages_with_keys_are_not_stored_by_browsers(dana_client, plumbing):
    path = f"/sources/{plumbing.public_id}/messaging/integrations/lead-reply-api/set-up/"
    answer = dana_client.post(path)
    assert "lwr_" in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"


def test_a_secret_of_lost_keys_is_unreadable_not_wrong(settings):
    secret = Secret.of("hello")
    settings.LEADWIRE_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(Unreadable):
        secret.reveal()


def test_keys_carry_a_checksum():
    key = make_key("lwr_")
    assert len({make_key("lwr_") for _ in range(100)}) == 100
    assert len(key) == 42
