"""What an endpoint hears of while it is stopped and after, and which of its keys sign."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import services as cards
from outbox.models import Lane
from tests.support.steps import URL, outbox
from webhooks.delivery.destinations import load_destinations
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_stopped_endpoint_hears_of_nothing_new(webhook_at, eastgate, lead_at):
    webhook_at(eastgate, URL)
    Lane.objects.update(stopped_at=timezone.now())
    lead_at(eastgate)
    assert not Delivery.objects.exists()


def test_a_stopped_endpoint_is_started_by_turning_the_card_on_again(webhook_at, eastgate, actor, lead_at):
    webhook_at(eastgate, URL)
    Lane.objects.update(stopped_at=timezone.now(), stopped_because="410")
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    lane = Lane.objects.get(pk=eastgate.restwebhook.lane_id)
    assert (lane.stopped_at, lane.stopped_because) == (None, "")


def in_use(card):
    [endpoint] = outbox(lambda c: load_destinations(c, {card.lane_id})).values()
    return endpoint


def test_in_overlap_the_header_carries_the_old_key_until_it_is_switched_and_both_sign(webhook_at, eastgate, actor):
    old = webhook_at(eastgate, URL)
    card = eastgate.restwebhook
    new = cards.regenerate(card=card, actor=actor, overlap=timedelta(hours=1)).secrets
    assert in_use(card).header_secret == old["Secret key"]
    assert set(in_use(card).signing_secrets) == {old["Signing secret"], new["Signing secret"]}
    cards.switch_header(card=card, actor=actor)
    assert in_use(card).header_secret == new["Secret key"]
    assert len(in_use(card).signing_secrets) == 2
    card.secrets.exclude(ends_at=None).update(ends_at=timezone.now() - timedelta(seconds=1), header_ended_at=None)
    assert in_use(card).header_secret == new["Secret key"]
    assert in_use(card).signing_secrets == [new["Signing secret"]]


def test_a_third_pair_of_keys_ends_the_first_and_end_overlap_the_second(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    card, hour = eastgate.restwebhook, timedelta(hours=1)
    second, third = (cards.regenerate(card=card, actor=actor, overlap=hour).secrets for _ in range(2))
    assert set(in_use(card).signing_secrets) == {second["Signing secret"], third["Signing secret"]}
    cards.end_overlap(card=card, actor=actor)
    assert in_use(card).signing_secrets == [third["Signing secret"]]
    cards.disconnect(card=card, actor=actor)
    card.refresh_from_db()
    assert card.url == ""
    assert not card.secrets.exists()


def test_the_secret_header_can_be_left_out(webhook_at, eastgate, actor):
    webhook_at(eastgate, URL)
    cards.configure(card=eastgate.restwebhook, actor=actor, sends_secret_header=False)
    assert in_use(eastgate.restwebhook).header_secret is None
