"""What proves us to one server is not handed to another; and addresses are read as the client reads them."""

from __future__ import annotations

import pytest

from core.ssrf_guard import same_server, url_error
from webhooks.models import Subscription, WebhookSecret

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("https://a.example/x", "https://a.example/y?z=1", True),
        ("https://a.example/x", "https://A.example:443/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("https://a.example/x", "https://b.example/x", False),
        ("https://a.example/x", "https://a.example.evil.example/x", False),
    ],
)
def test_which_urls_are_one_server(one, other, expected):
    assert same_server(one, other) is expected


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost.", "LOCALHOST", "１２７.０.０.１", "127.0.0.1.",
     "[::ffff:127.0.0.1]", "10.1", "169.254.169.254"],
)  # fmt: skip
def test_a_private_address_is_refused_in_any_spelling_when_it_is_saved(settings, host):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    assert url_error(f"https://{host}/hook")


@pytest.mark.parametrize("host", ["8.8.8.8", "crm.example.com", "3com.example", "1and1.example", "8.8.8.8.example"])
def test_a_public_name_or_address_is_taken(settings, host):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    assert url_error(f"https://{host}/hook") == ""


@pytest.fixture
def with_secrets(subscribe):
    return subscribe(
        "http://127.0.0.1:9/hook", headers={"X-Api-Key": "s3cret"}, basic_auth={"username": "u", "password": "p"}
    )


def test_another_server_gets_no_stored_header_or_password(api, webhooks_key, with_secrets):
    path = f"webhooks/{with_secrets['id']}"
    api.call("PATCH", path, webhooks_key, {"url": "http://127.0.0.1:9/other"})
    stored = Subscription.objects.get()
    assert (stored.header_names, stored.basic_username) == (["X-Api-Key"], "u"), "the same server keeps them"
    answer = api.call("PATCH", path, webhooks_key, {"url": "http://127.0.0.2:9/hook"})
    assert answer.status_code == 200, answer.json()
    gone = Subscription.objects.get()
    assert (gone.headers, gone.header_names, gone.basic_username, gone.basic_password) == (None, [], "", None)


def test_what_is_sent_along_goes_to_the_new_server(api, webhooks_key, with_secrets):
    new = {"url": "http://127.0.0.2:9/hook", "headers": {"X-Api-Key": "new"}}
    api.call("PATCH", f"webhooks/{with_secrets['id']}", webhooks_key, new)
    stored = Subscription.objects.get()
    assert (stored.header_names, stored.basic_password) == (["X-Api-Key"], None)


def test_the_page_asks_for_the_values_again(dana_client, with_secrets):
    form = {
        "name": "Warehouse", "url": "http://127.0.0.2:9/hook", "event_types": ["lead.created"],
        "headers": "X-Api-Key: ••••••••", "basic_username": "u",
    }  # fmt: skip
    page = dana_client.post(f"/settings/webhooks/{with_secrets['id']}/edit/", form).content.decode()
    assert page.count("This is another server") == 2
    assert Subscription.objects.get().url == "http://127.0.0.1:9/hook"


def test_a_card_gets_new_keys_for_another_server(dana_client, api, webhook_at, plumbing, token):
    old = webhook_at(plumbing, "http://127.0.0.1:9/hook")
    path = f"/sources/{plumbing.public_id}/messaging/integrations/rest-webhook/settings/"
    dana_client.post(path, {"url": "http://127.0.0.1:9/other"}, headers={"HX-Request": "true"})
    secret = WebhookSecret.objects.get(ends_at=None)
    assert secret.header_secret.reveal() == old["Secret key"]
    page = dana_client.post(path, {"url": "http://127.0.0.2:9/hook"}, headers={"HX-Request": "true"}).content.decode()
    new = WebhookSecret.objects.get(ends_at=None).header_secret.reveal()
    assert new != old["Secret key"]
    assert new in page
