"""How the deliveries of a subscription are signed, and which headers they carry."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook as Checker

from accounts.models import AuditEntry
from core.ids import encode
from tests.support.waiting import wait_for
from webhooks.models import Attempt

pytestmark = pytest.mark.django_db(transaction=True)


def test_rotation_signs_with_both_while_they_overlap(api, key, worker, receiver, subscribe, plumbing, lead_at):
    old = subscribe(receiver.url)
    answer = api.post(f"webhooks/{old['id']}/rotate-secret", key, {"overlap": "1h"}).json()["data"]["webhook"]
    assert answer["secret"] != old["secret"]
    assert answer["old_secret_ends_at"]
    lead_at(plumbing, "first@example.net")
    request = receiver.wait(1)[0]
    assert len(request["headers"]["webhook-signature"].split()) == 2
    for secret in (old["secret"], answer["secret"]):
        assert Checker(secret).verify(request["body"], request["headers"])
    newest = api.post(f"webhooks/{old['id']}/rotate-secret", key, {"overlap": "none"}).json()["data"]["webhook"]
    lead_at(plumbing, "second@example.net")
    request = receiver.wait(2)[1]
    assert len(request["headers"]["webhook-signature"].split()) == 1
    assert Checker(newest["secret"]).verify(request["body"], request["headers"])


def test_v1a_signs_with_a_key_that_never_leaves(api, key, worker, receiver, subscribe, plumbing, lead_at):
    webhook = subscribe(receiver.url, signature="v1a")
    assert "secret" not in webhook
    assert webhook["public_key"].startswith("whpk_")
    assert "whsk_" not in json.dumps(webhook)
    fresh = api.post(f"webhooks/{webhook['id']}/rotate-secret", key, {}).json()["data"]["webhook"]["public_key"]
    lead_at(plumbing)
    request = receiver.wait(1)[0]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    webhook_id, timestamp, header = (request["headers"][name] for name in names)
    signed = f"{webhook_id}.{timestamp}.".encode() + request["body"]
    signatures = header.split()
    assert all(signature.startswith("v1a,") for signature in signatures)
    for public, signature in zip((fresh, webhook["public_key"]), signatures, strict=True):
        verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
        verifier.verify(base64.b64decode(signature.partition(",")[2]), signed)  # raises when it is not


def test_headers_and_basic_auth_are_sent_and_masked_everywhere(
    api, key, worker, receiver, subscribe, plumbing, lead_at, dana_client
):
    secret_words = ("sesame-4711", "pass:wörd-0815")
    webhook = subscribe(
        receiver.url,
        headers={"X-Api-Key": secret_words[0]},
        basic_auth={"username": "leadwire", "password": secret_words[1]},
    )
    lead_at(plumbing)
    headers = receiver.wait(1)[0]["headers"]
    assert headers["X-Api-Key"] == secret_words[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == f"leadwire:{secret_words[1]}"
    wait_for(lambda: Attempt.objects.exists())
    attempt = Attempt.objects.get()
    shown = [
        json.dumps(webhook),
        json.dumps(api.get(f"webhooks/{webhook['id']}", key).json()),
        json.dumps(attempt.request_headers),
        dana_client.get(f"/settings/webhooks/{webhook['id']}/").content.decode(),
        dana_client.get(f"/settings/webhooks/{webhook['id']}/edit/").content.decode(),
        dana_client.get(f"/deliveries/{encode('dlv', attempt.delivery_id)}/").content.decode(),
        *(json.dumps([entry.before, entry.after]) for entry in AuditEntry.objects.all()),
    ]
    for text in shown:
        assert not any(word in text for word in (*secret_words, headers["Authorization"]))
