"""`/v1/webhooks`: its fields, its answers to bad input, and who may call it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Membership
from api.services import make_token
from core.ids import decode, encode
from outbox.models import Lane
from tests.support.due import run_jobs
from tests.support.people import WEBHOOK_SCOPES, limited_manager
from tests.support.waiting import wait_for
from webhooks.event_types import SUBSCRIBABLE
from webhooks.models import Attempt, Delivery, Subscription

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_test_is_answered_202_with_a_delivery_to_follow(api, key, worker, receiver, subscribe):
    webhook = subscribe(receiver.url, enabled=False)
    answer = api.post(f"webhooks/{webhook['id']}/test", key)
    assert answer.status_code == 202
    where = answer["Location"].removeprefix("/v1/")
    wait_for(lambda: api.get(where, key).json()["data"]["delivery"]["status"] == "delivered")
    [attempt] = api.get(where, key).json()["data"]["delivery"]["attempts"]
    assert attempt["status_code"] == 200
    assert receiver.bodies()[0]["type"] == "webhook.test"
    wait_for(lambda: Subscription.objects.get().verified_at)
    check = Subscription.objects.get().last_check
    assert check
    assert check["ok"] is True


def test_disabled_holds_and_enabled_goes_on(api, key, worker, receiver, subscribe, plumbing, lead_at):
    webhook = subscribe(receiver.url)
    Lane.objects.filter(subscription__isnull=False).update(held_at=timezone.now())
    lead_at(plumbing)
    off = api.post(f"webhooks/{webhook['id']}/disable", key).json()["data"]["webhook"]
    assert (off["enabled"], off["status"]) == (False, "disabled")
    [waiting] = api.get(f"webhooks/{webhook['id']}/deliveries?status=open", key).json()["data"]["deliveries"]
    assert waiting["status"] == "open"
    assert receiver.requests == []
    assert api.post(f"webhooks/{webhook['id']}/enable", key).json()["data"]["webhook"]["status"] == "enabled"
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    [ended] = api.get(f"webhooks/{webhook['id']}/deliveries", key).json()["data"]["deliveries"]
    assert (ended["id"], ended["status"]) == (waiting["id"], "delivered")


def test_a_replay_by_the_api_counts_and_sends(api, key, worker, receiver, subscribe, plumbing, westgate, lead_at):
    lead_at(plumbing, "before@example.net")
    webhook = subscribe(receiver.url, source_ids=[plumbing.public_id])
    wanted = {"since": (timezone.now() - timedelta(hours=1)).isoformat(), "dry_run": True}
    answer = api.post(f"webhooks/{webhook['id']}/replay", key, wanted)
    assert answer.status_code == 202
    run_jobs()
    job = api.get(answer["Location"].removeprefix("/v1/"), key).json()
    assert job["result"] == {"count": 1, "total": 1}
    answer = api.post(f"webhooks/{webhook['id']}/replay", key, {**wanted, "dry_run": False})
    run_jobs()
    receiver.wait(1)
    listed = api.get("background-jobs", key).json()["data"]["background_jobs"]
    assert [row["status"] for row in listed] == ["done", "done"]
    done = f"{answer['Location'].removeprefix('/v1/')}/cancel"
    for _ in range(2):
        assert api.post(done, key, {"reason": "enough"}).status_code == 204


def test_deleting_cancels_what_waits_and_forgets_the_secrets(api, key, receiver, subscribe, plumbing, lead_at):
    webhook = subscribe(receiver.url, headers={"X-Key": "1"})
    lead_at(plumbing)
    assert api.call("DELETE", f"webhooks/{webhook['id']}", key).status_code == 204
    assert api.get(f"webhooks/{webhook['id']}", key).status_code == 404
    assert Attempt.objects.get().next_because == "The webhook was deleted"
    subscription = Subscription.objects.get()
    assert not subscription.secrets.exists()
    assert subscription.headers is None
    lead_at(plumbing, "later@example.net")
    assert not Delivery.objects.exists()


def test_what_can_be_chosen_is_listed_with_a_sample_and_anything_else_is_refused(api, key):
    events = api.get("webhooks/events", key).json()["data"]["events"]
    assert [event["type"] for event in events] == [event_type.value for event_type in SUBSCRIBABLE]
    for event in events:
        assert event["sample"]["type"] == event["type"]
    body = {"name": "X", "url": "https://crm.example.com", "event_types": ["lead.created", "lead.vanished"]}
    refused = api.post("webhooks", key, body)
    assert (refused.status_code, refused.json()["code"]) == (400, "webHook.invalidEvent")
    assert refused.json()["errors"][0]["pointer"] == "#/event_types/1"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "http://169.254.169.254/latest"}, "#/url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "#/url"),
        ({"url": "ftp://example.com"}, "#/url"),
        ({"url": 7}, "#/url"),
        ({"name": ""}, "#/name"),
        ({"event_types": []}, "#/event_types"),
        ({"source_ids": ["src_nothing"]}, "#/source_ids/0"),
        ({"headers": {"Host": "evil"}}, "#/headers/Host"),
        ({"headers": {"webhook-id": "evt_1"}}, "#/headers/webhook-id"),
        ({"headers": {"X-A": "one\r\nX-B: two"}}, "#/headers/X-A"),
        ({"headers": {"X A": "one"}}, "#/headers/X A"),
        ({"headers": {"X-A": "ü"}}, "#/headers/X-A"),
        ({"headers": {"X-A": 5}}, "#/headers/X-A"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "#/headers/x-a"),
        ({"headers": {"Authorization": "x"}, "basic_auth": {"username": "a", "password": "b"}}, "#/headers"),
        ({"basic_auth": {"username": "a"}}, "#/basic_auth/password"),
        ({"basic_auth": {"username": "a", "password": "b", "realm": "c"}}, "#/basic_auth/realm"),
        ({"client_certificate": {"certificate": "x", "key": "y"}}, "#/client_certificate"),
        ({"ordered": "yes"}, "#/ordered"),
        ({"signature": "v2"}, "#/signature"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_bad_input_names_its_field_and_makes_nothing(api, key, plumbing, fields, pointer):
    body = {"name": "X", "url": "https://crm.example.com/h", "event_types": ["lead.created"], **fields}
    answer = api.post("webhooks", key, body)
    assert answer.status_code == 400, answer.json()
    assert pointer in [error["pointer"] for error in answer.json()["errors"]], answer.json()
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"basic_auth": {"username": "a"}}, "#/basic_auth/password"),
        ({"basic_auth": {}}, "#/basic_auth/username"),
        ({"client_certificate": {"key": "k"}}, "#/client_certificate/certificate"),
        ({"client_certificate": {"": {}}}, "#/client_certificate/key"),
    ],
)
def test_a_change_gives_objects_whole(api, key, plumbing, fields, pointer):
    body = {"name": "X", "url": "https://crm.example.com/h", "event_types": ["lead.created"]}
    created = api.post("webhooks", key, body).json()["data"]["webhook"]
    answer = api.call("PATCH", f"webhooks/{created['id']}", key, fields)
    assert answer.status_code == 400, answer.json()
    assert {"pointer": pointer, "detail": "This field is required.", "code": "required"} in answer.json()["errors"]


def test_a_webhook_is_made_once_for_one_idempotency_key(api, key):
    body = {"name": "X", "url": "https://crm.example.com/h", "event_types": ["lead.created"]}
    first, again = (api.post("webhooks", key, body, Idempotency_Key="once") for _ in range(2))
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Subscription.objects.count() == 1


def test_the_scopes_are_asked_for(api, dana, actor, key_of, plumbing):
    mine = Membership.objects.get(user=dana)
    reading = make_token(creator=mine, actor=actor, name="Read", scopes=["webhooks:read"])[1]
    assert api.get("webhooks", reading).status_code == 200
    body = {"name": "X", "url": "https://crm.example.com/h", "event_types": ["lead.created"]}
    refused = api.post("webhooks", reading, body)
    assert (refused.status_code, refused.json()["scope"]) == (403, "webhooks:write")
    assert api.get("webhooks", key_of(plumbing)).status_code == 403


def test_nobody_reaches_a_webhook_of_another_organization_or_manager(
    api, subscribe, harbor, eve, northside, eastgate, actor
):
    webhook = subscribe("https://crm.example.com/h")
    foreign = make_token(creator=Membership.objects.get(user=eve), actor=actor, name="Eve", scopes=WEBHOOK_SCOPES)[1]
    other = make_token(
        creator=limited_manager("mia", northside, eastgate), actor=actor, name="Mia", scopes=WEBHOOK_SCOPES
    )[1]
    missing = encode("wh", Subscription.objects.get().pk)[:-4] + "0000"
    assert decode("wh", missing)
    for theirs in (foreign, other):
        assert api.get("webhooks", theirs).json()["data"]["webhooks"] == []
        for method, path in (
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable"), ("POST", "/test"),
            ("POST", "/rotate-secret"), ("GET", "/deliveries"),
        ):  # fmt: skip
            sent = None if method == "GET" else {"event_types": ["lead.created"]} if method == "PATCH" else {}
            there, nowhere = (
                api.call(method, f"webhooks/{one}{path}", theirs, sent) for one in (webhook["id"], missing)
            )
            assert (there.status_code, nowhere.status_code) == (404, 404), (method, path)
            assert {**there.json(), "request_id": ""} == {**nowhere.json(), "request_id": ""}
