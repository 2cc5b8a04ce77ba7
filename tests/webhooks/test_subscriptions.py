"""Webhook subscriptions of an organization: what they hear of, how they are signed, and whose they are."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook as Checker
from svix.webhooks import Webhook as SvixChecker

from accounts.models import Membership
from accounts.services import members
from api.services import make_token
from core.ids import rfc3339
from outbox.models import Lane
from tests.support.due import make_due, run_jobs
from tests.support.people import WEBHOOK_SCOPES, limited_manager, person
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, Event, Subscription
from webhooks.services import subscriptions
from webhooks.services.trouble import tell_of_trouble

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_subscription_hears_of_every_source_and_of_none_of_another_organization(
    worker, receiver, subscribe, plumbing, westgate, dental, lead_at
):
    webhook = subscribe(receiver.url)
    lead_at(plumbing, "one@example.net")
    lead_at(westgate, "two@example.net")
    lead_at(dental, "three@example.net")
    requests = receiver.wait(2)
    wait_for(lambda: not Delivery.objects.exists())
    assert {body["data"]["lead"]["email"] for body in receiver.bodies()} == {"one@example.net", "two@example.net"}
    assert {body["data"]["lead"]["source_name"] for body in receiver.bodies()} == {"Northside Plumbing", "Westgate"}
    for request in requests:
        for checker in (Checker, SvixChecker):
            checker(webhook["secret"]).verify(request["body"], request["headers"])  # raises when it is not ours


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
    key = make_token(creator=creator, actor=actor, name="Mia's", scopes=WEBHOOK_SCOPES)[1]
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
    subscription, _ = subscriptions.subscribe(
        creator=creator, actor=actor, name="Max", url=receiver.url, event_types=["lead.created"], source_ids=[]
    )
    members.remove(membership=creator, actor=actor)
    lead_at(plumbing, "gone@example.net")
    assert not Delivery.objects.exists()
    page = dana_client.get(f"/settings/webhooks/{subscription.public_id}/").content.decode()
    assert "Its creator left" in page
    assert dana_client.post(f"/settings/webhooks/{subscription.public_id}/take-over/").status_code == 302
    assert Subscription.objects.get().creator.user == dana
    lead_at(plumbing, "back@example.net")
    receiver.wait(1)
    assert receiver.bodies()[0]["data"]["lead"]["email"] == "back@example.net"


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
    assert [body["sequence"] for body in [json.loads(request["body"]) for request in receiver.wait(3)]] == [1, 1, 2]


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
    emails = {body["data"]["lead"]["email"] for body in receiver.bodies() if body["type"] == "lead.created"}
    assert emails == {"ava@example.net", "missed@example.net"}
    job = api.get(answer["Location"].removeprefix("/v1/"), key).json()
    assert (job["category"], job["status"], job["progress"]) == ("replay", "done", 1.0)


def test_the_samples_are_shaped_like_what_is_sent(api, key, worker, receiver, subscribe, plumbing, lead_at, key_of):
    subscribe(receiver.url, event_types=["lead.created", "message.received", "message.sent"])
    lead = lead_at(plumbing)
    lead_at(plumbing, message="And another thing")
    api.reply(key_of(plumbing), lead)
    samples = {event["type"]: event["sample"] for event in api.get("webhooks/events", key).json()["data"]["events"]}
    receiver.wait(3)
    for body in receiver.bodies():
        sample = samples[body["type"]]
        assert body.keys() == sample.keys()
        assert body["data"].keys() == sample["data"].keys(), body["type"]
        for part in body["data"]:
            assert body["data"][part].keys() == sample["data"][part].keys(), (body["type"], part)
        told, shown = (one["data"]["conversation"]["messages"][0] for one in (body, sample))
        assert told.keys() == shown.keys()
