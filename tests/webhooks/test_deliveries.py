"""Webhooks as their receiver sees them."""

from __future__ import annotations

import json
import time

import pytest
from standardwebhooks import Webhook

from integrations import services as cards
from outbox.models import Lane
from tests.support.due import make_due
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_lead_is_told_to_the_webhook(worker, receiver, webhook_at, eastgate, lead_at):
    secrets = webhook_at(eastgate, receiver.url)
    lead = lead_at(eastgate)
    [request] = receiver.wait(1)
    body = json.loads(request["body"])
    assert body["type"] == "lead.created"
    assert body["sequence"] == 1
    assert body["data"]["lead"]["id"] == lead.public_id
    assert body["data"]["message"]["content"] == "My tap leaks."
    assert [message["content"] for message in body["data"]["conversation"]["messages"]] == ["My tap leaks."]
    assert request["headers"]["webhook-id"] == body["id"]
    assert request["headers"]["X-Secret-Key"] == secrets["Secret key"]
    Webhook(secrets["Signing secret"]).verify(request["body"], request["headers"])
    attempt = wait_for(Attempt.objects.first)
    assert attempt.outcome == "delivered"
    assert "X-Secret-Key" in attempt.request_headers
    assert secrets["Secret key"] not in json.dumps(attempt.request_headers)
    assert not Delivery.objects.exists()


def test_later_messages_are_message_received_and_in_order(worker, receiver, webhook_at, eastgate, lead_at):
    webhook_at(eastgate, receiver.url)
    for number in range(5):
        lead_at(eastgate, message=f"Message {number}")
    receiver.wait(5)
    bodies = receiver.bodies()
    assert [body["type"] for body in bodies] == ["lead.created"] + ["message.received"] * 4
    assert [body["sequence"] for body in bodies] == [1, 2, 3, 4, 5]


def test_a_failed_delivery_is_tried_again_with_the_same_id_and_bytes(worker, receiver, webhook_at, eastgate, lead_at):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    receiver.wait(1)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    lane = Lane.objects.get(pk=eastgate.restwebhook.lane_id)
    assert lane.failing_since is not None
    make_due()
    first, second = receiver.wait(2)
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert first["body"] == second["body"]
    wait_for(lambda: not Delivery.objects.exists())
    assert [attempt.outcome for attempt in Attempt.objects.order_by("id")] == ["retrying", "delivered"]


def test_the_second_of_a_conversation_waits_for_the_first(worker, receiver, webhook_at, eastgate, lead_at):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    receiver.wait(1)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    lead_at(eastgate, message="Second")
    time.sleep(0.5)
    assert len(receiver.requests) == 1
    make_due()
    receiver.wait(3)
    assert [body["sequence"] for body in receiver.bodies()] == [1, 1, 2]


def test_410_stops_only_the_endpoint_that_answered_it(worker, receiver, webhook_at, plumbing, eastgate, lead_at, actor):
    webhook_at(plumbing, receiver.url)
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    receiver.answers = [410]
    lead_at(eastgate)
    wait_for(lambda: Lane.objects.filter(rest_webhook__source=eastgate).exclude(stopped_at=None).first())
    assert Lane.objects.get(rest_webhook__source=plumbing).stopped_at is None


def test_switched_off_holds_what_waits(worker, receiver, webhook_at, eastgate, lead_at, actor):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    cards.switch(card=eastgate.restwebhook, on=False, actor=actor)
    make_due()
    time.sleep(1.3)
    assert len(receiver.requests) == 1
    assert Delivery.objects.count() == 1
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    receiver.wait(2)


def test_disconnect_cancels_what_waits_and_shows_it(worker, receiver, webhook_at, eastgate, lead_at, actor):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    cards.disconnect(card=eastgate.restwebhook, actor=actor)
    assert not Delivery.objects.exists()
    assert Attempt.objects.latest("id").outcome == "cancelled"


def test_a_test_runs_with_the_card_off_and_keeps_its_result(worker, receiver, webhook_at, eastgate, actor):
    webhook_at(eastgate, receiver.url, on=False)
    card = eastgate.restwebhook
    cards.check(card=card, actor=actor)
    receiver.wait(1)
    assert receiver.bodies()[0]["type"] == "webhook.test"

    def checked():
        card.refresh_from_db()
        return card.last_check and card.last_check.get("ok") is not None

    wait_for(checked)
    assert card.is_verified
    assert not card.is_enabled


def test_a_test_of_a_refusing_receiver_says_so(worker, receiver, webhook_at, eastgate, actor):
    webhook_at(eastgate, receiver.url, on=False)
    card = eastgate.restwebhook
    receiver.answers = [500]
    cards.check(card=card, actor=actor)
    wait_for(lambda: (card.refresh_from_db(), (card.last_check or {}).get("ok") is False)[1])
    assert card.last_check["title"].startswith("Test webhook: 500 in")
    assert not card.is_verified


def test_nothing_is_sent_to_a_private_address(worker, receiver, webhook_at, eastgate, lead_at, settings):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    webhook_at(eastgate, receiver.url)
    lead_at(eastgate)
    attempt = wait_for(Attempt.objects.first)
    assert attempt.error == "Not sent: 127.0.0.1 is not a public address"
    assert receiver.requests == []
