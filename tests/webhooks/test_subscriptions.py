"""Webhook subscriptions of an organization: what they hear of, how they are signed, and whose they are."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone
from standardwebhooks import Webhook as Checker
from svix.webhooks import Webhook as SvixChecker

from accounts.models import AuditEntry, Membership
from accounts.services import members
from api.services import make_token
from core.ids import decode, encode, rfc3339
from outbox.models import Lane
from tests.support.due import make_due, run_jobs
from tests.support.people import person
from tests.support.waiting import wait_for
from webhooks.event_types import SUBSCRIBABLE
from webhooks.models import Attempt, Delivery, Event, Subscription
from webhooks.services import subscriptions
from webhooks.services.trouble import tell_of_trouble

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = ["webhooks:write", "jobs:write"]


@pytest.fixture
def key(webhooks_key) -> str:
    return webhooks_key


def limited_manager(name: str, organization, *sources) -> Membership:
    return Membership.objects.get(user=person(name, organization, "manager", *sources))


def test_a_subscription_hears_of_every_source_and_of_none_of_another_organization(
    worker, receiver, subscribe, plumbing, westgate, dental, lead_at
):
    made = subscribe(receiver.url)
    lead_at(plumbing, "one@example.net")
    lead_at(westgate, "two@example.net")
    lead_at(dental, "three@example.net")
    requests = receiver.wait(2)
    wait_for(lambda: not Delivery.objects.exists())
    assert {body["data"]["lead"]["email"] for body in receiver.bodies()} == {"one@example.net", "two@example.net"}
    assert {body["data"]["lead"]["source_name"] for body in receiver.bodies()} == {"Northside Plumbing", "Westgate"}
    for request in requests:
        for checker in (Checker, SvixChecker):
            checker(made["secret"]).verify(request["body"], request["headers"])  # raises when it is not ours


def test_it_stands_beside_the_card_and_each_gets_its_own(worker, receiver, subscribe, webhook_at, plumbing, lead_at):
    webhook_at(plumbing, receiver.url.replace("/hook", "/card"))
    subscribe(receiver.url)
    lead_at(plumbing)
    assert {request["path"] for request in receiver.wait(2)} == {"/card", "/hook"}
    assert len({body["id"] for body in receiver.bodies()}) == 1  # one event


def test_the_source_filter_includes_the_locations_of_a_business(
    worker, receiver, subscribe, northside, plumbing, westgate, eastgate, actor, lead_at
):
    from sources.services import create_source

    other = create_source(organization=northside, actor=actor, name="Roofing")
    subscribe(receiver.url, source_ids=[plumbing.public_id])
    for source in (plumbing, westgate, other):
        lead_at(source)
    receiver.wait(2)
    wait_for(lambda: not Delivery.objects.exists())
    assert {body["data"]["lead"]["source_name"] for body in receiver.bodies()} == {"Northside Plumbing", "Westgate"}


def test_it_carries_its_creators_limit_of_this_moment(
    api, worker, receiver, northside, plumbing, eastgate, westgate, actor, lead_at
):
    creator = limited_manager("mia", northside, eastgate)
    key = make_token(creator=creator, actor=actor, name="Mia's", scopes=SCOPES)[1]
    body = {"name": "East", "url": receiver.url, "event_types": ["lead.created"]}
    beyond = api.post("webhooks", key, {**body, "source_ids": [westgate.public_id]})
    assert beyond.status_code == 400
    assert beyond.json()["errors"][0]["pointer"] == "#/source_ids/0"
    assert api.post("webhooks", key, body).status_code == 201
    lead_at(westgate, "west@example.net")
    lead_at(eastgate, "east@example.net")
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    assert [body["data"]["lead"]["email"] for body in receiver.bodies()] == ["east@example.net"]
    members.change(membership=creator, actor=actor, role="manager", sources=[westgate])
    lead_at(eastgate, "later@example.net")
    lead_at(westgate, "now@example.net")
    receiver.wait(2)
    wait_for(lambda: not Delivery.objects.exists())
    assert receiver.bodies()[-1]["data"]["lead"]["email"] == "now@example.net"


def test_what_waits_is_not_sent_once_the_creator_may_no_longer_see_the_source(
    api, worker, receiver, northside, eastgate, westgate, actor, lead_at
):
    creator = limited_manager("mia", northside, eastgate)
    subscriptions.subscribe(
        creator=creator, actor=actor, name="East", url=receiver.url, event_types=["lead.created"], source_ids=[]
    )
    Lane.objects.filter(subscription__isnull=False).update(held_at=timezone.now())
    lead_at(eastgate)
    assert Delivery.objects.exists()
    members.change(membership=creator, actor=actor, role="manager", sources=[westgate])
    Lane.objects.filter(subscription__isnull=False).update(held_at=None)
    make_due()
    wait_for(lambda: not Delivery.objects.exists())
    attempt = Attempt.objects.get()
    assert attempt.outcome == "cancelled"
    assert "may no longer see this source" in attempt.next_because
    assert receiver.requests == []


def test_removing_the_creator_stops_it_and_an_owner_takes_it_over(
    worker, receiver, northside, plumbing, actor, dana, dana_client, lead_at
):
    creator = Membership.objects.get(user=person("max", northside, "manager"))
    made, _ = subscriptions.subscribe(
        creator=creator, actor=actor, name="Max", url=receiver.url, event_types=["lead.created"], source_ids=[]
    )
    members.remove(membership=creator, actor=actor)
    lead_at(plumbing, "gone@example.net")
    assert not Delivery.objects.exists()
    page = dana_client.get(f"/settings/webhooks/{made.public_id}/").content.decode()
    assert "Its creator left" in page
    assert dana_client.post(f"/settings/webhooks/{made.public_id}/take-over/").status_code == 302
    assert Subscription.objects.get().creator.user == dana
    lead_at(plumbing, "back@example.net")
    receiver.wait(1)
    assert receiver.bodies()[0]["data"]["lead"]["email"] == "back@example.net"


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
    made = subscribe(receiver.url, signature="v1a")
    assert "secret" not in made
    assert made["public_key"].startswith("whpk_")
    assert "whsk_" not in json.dumps(made)
    fresh = api.post(f"webhooks/{made['id']}/rotate-secret", key, {}).json()["data"]["webhook"]["public_key"]
    lead_at(plumbing)
    request = receiver.wait(1)[0]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    webhook_id, timestamp, header = (request["headers"][name] for name in names)
    signed = f"{webhook_id}.{timestamp}.".encode() + request["body"]
    signatures = header.split()
    assert all(one.startswith("v1a,") for one in signatures)
    for public, signature in zip((fresh, made["public_key"]), signatures, strict=True):
        verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
        verifier.verify(base64.b64decode(signature.partition(",")[2]), signed)  # raises when it is not


def test_headers_and_basic_auth_are_sent_and_masked_everywhere(
    api, key, worker, receiver, subscribe, plumbing, lead_at, dana_client
):
    secret_words = ("sesame-4711", "pass:wörd-0815")
    made = subscribe(
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
        json.dumps(made),
        json.dumps(api.get(f"webhooks/{made['id']}", key).json()),
        json.dumps(attempt.request_headers),
        dana_client.get(f"/settings/webhooks/{made['id']}/").content.decode(),
        dana_client.get(f"/settings/webhooks/{made['id']}/edit/").content.decode(),
        dana_client.get(f"/deliveries/{encode('dlv', attempt.delivery_id)}/").content.decode(),
        *(json.dumps([entry.before, entry.after]) for entry in AuditEntry.objects.all()),
    ]
    for text in shown:
        assert not any(word in text for word in (*secret_words, headers["Authorization"]))


def test_without_order_an_event_does_not_wait_for_a_refused_one(
    worker, receiver, subscribe, plumbing, lead_at, api, key
):
    subscribe(receiver.url, ordered=False)
    receiver.answers = [500]
    lead_at(plumbing)
    receiver.wait(1)
    lead_at(plumbing, message="And another thing")
    requests = receiver.wait(2, seconds=3)
    assert json.loads(requests[1]["body"])["sequence"] == 2


def test_with_order_it_waits(worker, receiver, subscribe, plumbing, lead_at):
    subscribe(receiver.url)
    receiver.answers = [500]
    lead_at(plumbing)
    receiver.wait(1)
    lead_at(plumbing, message="And another thing")
    assert [body["sequence"] for body in [json.loads(one["body"]) for one in receiver.wait(3)]] == [1, 1, 2]


def test_a_test_is_answered_202_with_a_delivery_to_follow(api, key, worker, receiver, subscribe):
    made = subscribe(receiver.url, enabled=False)
    answer = api.post(f"webhooks/{made['id']}/test", key)
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
    made = subscribe(receiver.url)
    Lane.objects.filter(subscription__isnull=False).update(held_at=timezone.now())
    lead_at(plumbing)
    off = api.post(f"webhooks/{made['id']}/disable", key).json()["data"]["webhook"]
    assert (off["enabled"], off["status"]) == (False, "disabled")
    [waiting] = api.get(f"webhooks/{made['id']}/deliveries?status=open", key).json()["data"]["deliveries"]
    assert waiting["status"] == "open"
    assert receiver.requests == []
    assert api.post(f"webhooks/{made['id']}/enable", key).json()["data"]["webhook"]["status"] == "enabled"
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    [ended] = api.get(f"webhooks/{made['id']}/deliveries", key).json()["data"]["deliveries"]
    assert (ended["id"], ended["status"]) == (waiting["id"], "delivered")


def test_a_webhook_hears_that_another_has_failed_for_a_day(api, key, worker, receiver, subscribe, plumbing, lead_at):
    bad = subscribe("http://127.0.0.1:9/dead", name="Dead")
    subscribe(receiver.url, name="Watcher", event_types=["webhook.failing"])
    lane = Subscription.objects.get(name="Dead").lane
    since = timezone.now() - timedelta(days=1, minutes=1)
    Lane.objects.filter(pk=lane.pk).update(failing_since=since)
    lead_at(plumbing)
    wait_for(lambda: Lane.objects.get(pk=lane.pk).warned_days)
    for _ in range(2):  # a job may run twice
        tell_of_trouble(lane.pk)
    [body] = [json.loads(request["body"]) for request in receiver.wait(1)]
    assert (body["type"], body["data"]["webhook_id"]) == ("webhook.failing", bad["id"])
    assert (body["data"]["failing_days"], body["data"]["failing_since"]) == (1, rfc3339(since))
    assert body["data"]["stops_at"] == rfc3339(since + timedelta(days=5))
    assert Event.objects.filter(type="webhook.failing").count() == 1


def test_a_stop_is_told_to_the_other_webhooks_and_what_was_missed_can_be_sent(
    api, key, worker, receiver, subscribe, plumbing, lead_at, mailoutbox
):
    bad = subscribe("http://127.0.0.1:9/dead", name="Dead")
    subscribe(receiver.url, name="Watcher", event_types=["webhook.disabled"])
    lane = Subscription.objects.get(name="Dead").lane
    Lane.objects.filter(pk=lane.pk).update(failing_since=timezone.now() - timedelta(days=6))
    Subscription.objects.filter(name="Dead").update(enabled_at=timezone.now() - timedelta(days=30))
    lead_at(plumbing)
    wait_for(lambda: Lane.objects.get(pk=lane.pk).stopped_at)
    run_jobs()
    body = json.loads(receiver.wait(1)[0]["body"])
    assert body["type"] == "webhook.disabled"
    assert body["data"]["webhook_id"] == bad["id"]
    assert "The webhook Dead was stopped" in mailoutbox[0].subject
    assert f"/settings/webhooks/{bad['id']}/" in mailoutbox[0].body
    assert api.get(f"webhooks/{bad['id']}", key).json()["data"]["webhook"]["status"] == "stopped"
    lead_at(plumbing, "missed@example.net")
    api.call("PATCH", f"webhooks/{bad['id']}", key, {"url": receiver.url})
    answer = api.post(f"webhooks/{bad['id']}/enable", key, {"send_missed": True})
    run_jobs()
    wait_for(lambda: len(receiver.requests) >= 3)
    emails = {one["data"]["lead"]["email"] for one in receiver.bodies() if one["type"] == "lead.created"}
    assert emails == {"ava@example.net", "missed@example.net"}
    job = api.get(answer["Location"].removeprefix("/v1/"), key).json()
    assert (job["category"], job["status"], job["progress"]) == ("replay", "done", 1.0)


def test_a_replay_by_the_api_counts_and_sends(api, key, worker, receiver, subscribe, plumbing, westgate, lead_at):
    lead_at(plumbing, "before@example.net")
    made = subscribe(receiver.url, source_ids=[plumbing.public_id])
    wanted = {"since": (timezone.now() - timedelta(hours=1)).isoformat(), "dry_run": True}
    answer = api.post(f"webhooks/{made['id']}/replay", key, wanted)
    assert answer.status_code == 202
    run_jobs()
    job = api.get(answer["Location"].removeprefix("/v1/"), key).json()
    assert job["result"] == {"count": 1, "total": 1}
    answer = api.post(f"webhooks/{made['id']}/replay", key, {**wanted, "dry_run": False})
    run_jobs()
    receiver.wait(1)
    listed = api.get("background-jobs", key).json()["data"]["background_jobs"]
    assert [one["status"] for one in listed] == ["done", "done"]
    done = f"{answer['Location'].removeprefix('/v1/')}/cancel"
    for _ in range(2):
        assert api.post(done, key, {"reason": "enough"}).status_code == 204


def test_deleting_cancels_what_waits_and_forgets_the_secrets(api, key, receiver, subscribe, plumbing, lead_at):
    made = subscribe(receiver.url, headers={"X-Key": "1"})
    lead_at(plumbing)
    assert api.call("DELETE", f"webhooks/{made['id']}", key).status_code == 204
    assert api.get(f"webhooks/{made['id']}", key).status_code == 404
    assert Attempt.objects.get().next_because == "The webhook was deleted"
    subscription = Subscription.objects.get()
    assert not subscription.secrets.exists()
    assert subscription.headers is None
    lead_at(plumbing, "later@example.net")
    assert not Delivery.objects.exists()


def test_what_can_be_chosen_is_listed_with_a_sample_and_anything_else_is_refused(api, key):
    events = api.get("webhooks/events", key).json()["data"]["events"]
    assert [one["type"] for one in events] == [one.value for one in SUBSCRIBABLE]
    for one in events:
        assert one["sample"]["type"] == one["type"]
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


def test_the_samples_are_shaped_like_what_is_sent(api, key, worker, receiver, subscribe, plumbing, lead_at, key_of):
    subscribe(receiver.url, event_types=["lead.created", "message.received", "message.sent"])
    lead = lead_at(plumbing)
    lead_at(plumbing, message="And another thing")
    api.reply(key_of(plumbing), lead)
    samples = {one["type"]: one["sample"] for one in api.get("webhooks/events", key).json()["data"]["events"]}
    receiver.wait(3)
    for body in receiver.bodies():
        sample = samples[body["type"]]
        assert body.keys() == sample.keys()
        assert body["data"].keys() == sample["data"].keys(), body["type"]
        for part in body["data"]:
            assert body["data"][part].keys() == sample["data"][part].keys(), (body["type"], part)
        told, shown = (one["data"]["conversation"]["messages"][0] for one in (body, sample))
        assert told.keys() == shown.keys()


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
    made = subscribe("https://crm.example.com/h")
    foreign = make_token(creator=Membership.objects.get(user=eve), actor=actor, name="Eve", scopes=SCOPES)[1]
    other = make_token(creator=limited_manager("mia", northside, eastgate), actor=actor, name="Mia", scopes=SCOPES)[1]
    missing = encode("wh", Subscription.objects.get().pk)[:-4] + "0000"
    assert decode("wh", missing)
    for theirs in (foreign, other):
        assert api.get("webhooks", theirs).json()["data"]["webhooks"] == []
        for method, path in (
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable"), ("POST", "/test"),
            ("POST", "/rotate-secret"), ("GET", "/deliveries"),
        ):  # fmt: skip
            sent = None if method == "GET" else {"event_types": ["lead.created"]} if method == "PATCH" else {}
            there, nowhere = (api.call(method, f"webhooks/{one}{path}", theirs, sent) for one in (made["id"], missing))
            assert (there.status_code, nowhere.status_code) == (404, 404), (method, path)
            assert {**there.json(), "request_id": ""} == {**nowhere.json(), "request_id": ""}
