"""Settings -> Webhooks, as people use it."""

from __future__ import annotations

import json
import re

import pytest

from accounts.models import AuditEntry, Membership
from tests.support.people import log_in, person
from webhooks.models import Subscription
from webhooks.services import subscriptions

pytestmark = pytest.mark.django_db
FILLED_IN = {
    "name": "Warehouse",
    "url": "https://crm.example.com/hook",
    "event_types": ["lead.created", "webhook.disabled"],
    "is_ordered": "on",
    "signature": "v1",
    "headers": "X-Api-Key: sesame\nX-Tenant: 7",
    "basic_username": "leadwire",
    "basic_password": "open",
}


@pytest.fixture
def made(dana_client, plumbing) -> Subscription:
    answer = dana_client.post("/settings/webhooks/new/", FILLED_IN)
    assert answer.status_code == 200, answer.content.decode()
    return Subscription.objects.get()


def url_of(subscription: Subscription, rest: str = "") -> str:
    return f"/settings/webhooks/{subscription.public_id}/{rest}"


def headers_of(subscription: Subscription) -> dict[str, str]:
    subscription.refresh_from_db()
    return json.loads(subscription.headers.reveal())


def test_making_one_shows_its_secret_this_one_time(dana_client, plumbing):
    page = dana_client.post("/settings/webhooks/new/", FILLED_IN).content.decode()
    [secret] = set(re.findall(r"whsec_[A-Za-z0-9+/=]+", page))
    subscription = Subscription.objects.get()
    assert subscription.secrets.get().signing_secret.reveal() == secret
    assert secret not in dana_client.get(url_of(subscription)).content.decode()
    assert subscription.includes_source_name is False  # the box was not ticked


def test_what_is_secret_stays_when_it_is_left_as_shown(dana_client, made):
    form = dana_client.get(url_of(made, "edit/")).content.decode()
    assert "sesame" not in form
    assert "X-Api-Key: ••••••" in form
    changed = {**FILLED_IN, "headers": "X-Api-Key: ••••••\nX-New: 1", "basic_password": ""}
    assert dana_client.post(url_of(made, "edit/"), changed).status_code == 302
    assert headers_of(made) == {"X-Api-Key": "sesame", "X-New": "1"}
    assert made.basic_password.reveal() == "open"
    assert dana_client.post(url_of(made, "edit/"), {**changed, "headers": "", "basic_username": ""}).status_code == 302
    made.refresh_from_db()
    assert (made.headers, made.header_names, made.basic_password) == (None, [], None)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("url", "http://10.0.0.1/", "not public"),
        ("url", "https://user:pass@example.com/", "Leave user name and password out"),
        ("headers", "no colon", "Write it as Name: value"),
        ("headers", "Host: evil", "set by Leadwire itself"),
        ("headers", "X-A: 1\nX-A: 2", "there twice"),
        ("headers", "Authorization: x", "set by the user name and password"),
        ("basic_password", "", "Give the password too"),
        ("client_certificate", "-----BEGIN CERTIFICATE-----", "Give the private key too"),
        ("client_key", "-----BEGIN PRIVATE KEY-----", "Give the certificate too"),
        ("event_types", [], "This field is required"),
    ],
)
def test_a_mistake_stands_beside_its_field_and_nothing_is_made(dana_client, plumbing, field, value, words):
    page = dana_client.post("/settings/webhooks/new/", {**FILLED_IN, field: value}).content.decode()
    assert words in page
    assert "Warehouse" in page  # what was typed is still there
    assert not Subscription.objects.exists()


def test_the_switch_the_test_and_the_deletion(dana_client, made):
    assert dana_client.post(url_of(made, "enabled/"), {"enabled": "0"}).status_code == 302
    made.refresh_from_db()
    assert made.status == "disabled"
    assert dana_client.post(url_of(made, "test/")).status_code == 302
    assert "Testing…" in dana_client.get(url_of(made)).content.decode()
    words = dana_client.get(url_of(made, "delete/")).content.decode().split()
    assert "1 delivery that waits is cancelled" in " ".join(words)
    assert dana_client.post(url_of(made, "delete/")).status_code == 302
    assert dana_client.get(url_of(made)).status_code == 404
    assert "Warehouse" not in dana_client.get("/settings/webhooks/").content.decode()


def test_rotation_shows_the_new_secret_and_when_the_old_one_ends(dana_client, made):
    page = dana_client.post(url_of(made, "rotate/"), {"overlap": "24h"}).content.decode()
    assert "The old one signs too until" in page
    assert made.secrets.count() == 2
    assert dana_client.post(url_of(made, "rotate/"), {"end": "1"}).status_code == 302
    assert made.secrets.count() == 1


def test_the_secret_is_shown_again_only_after_proving_oneself(dana_client, made):
    asked = dana_client.get(url_of(made, "secret/"))
    assert asked.status_code == 302
    assert "reauthenticate" in asked["Location"]
    assert not AuditEntry.objects.filter(action="webhook.reveal").exists()


def test_an_app_that_checks_with_the_public_key_is_shown_it_at_any_time(dana_client, plumbing):
    dana_client.post("/settings/webhooks/new/", {**FILLED_IN, "signature": "v1a"})
    subscription = Subscription.objects.get()
    assert "whpk_" in dana_client.get(url_of(subscription)).content.decode()
    assert dana_client.get(url_of(subscription, "secret/")).status_code == 404


def test_a_replay_is_counted_on_its_own_page(dana_client, made):
    answer = dana_client.post(url_of(made, "replays/"), {"since": "2026-01-01T00:00", "count": "1"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(url_of(made, "replays/job_"))
    assert "counted so far" in dana_client.get(answer["Location"]).content.decode()


def test_a_manager_sees_those_that_they_made_and_no_other(made, northside, eastgate, actor):
    mia = person("mia", northside, "manager", eastgate)
    subscriptions.subscribe(
        creator=Membership.objects.get(user=mia),
        actor=actor,
        name="East only",
        url="https://east.example.com/",
        event_types=["lead.created"],
    )
    page = log_in(mia).get("/settings/webhooks/").content.decode()
    assert "East only" in page
    assert "Warehouse" not in page
    assert log_in(mia).get(url_of(made)).status_code == 404
    assert log_in(person("ann", northside, "agent")).get("/settings/webhooks/").status_code == 403


def test_a_manager_may_choose_only_their_own_sources(northside, eastgate, westgate):
    mia = person("mia", northside, "manager", eastgate)
    client = log_in(mia)
    page = client.get("/settings/webhooks/new/").content.decode()
    assert "Eastgate" in page
    assert "Westgate" not in page
    refused = client.post("/settings/webhooks/new/", {**FILLED_IN, "source_ids": [str(westgate.pk)]})
    assert not Subscription.objects.exists()
    assert "not one of the available choices" in refused.content.decode()


def test_each_webhook_costs_the_list_a_fixed_number_of_queries(dana_client, made, dana, actor):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            dana_client.get("/settings/webhooks/")
        return len(seen)

    with_one = queries()
    for number in range(3):
        subscriptions.subscribe(
            creator=Membership.objects.get(user=dana),
            actor=actor,
            name=f"More {number}",
            url="https://east.example.com/",
            event_types=["lead.created"],
        )
    assert queries() <= with_one + 3 * 6
