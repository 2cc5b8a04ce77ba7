"""What the REST Webhook card makes of keys, options and inheritance, as its receiver sees it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from integrations import services as cards
from outbox.models import Lane
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, RestWebhook

pytestmark = pytest.mark.django_db(transaction=True)


def is_signed_by(secret: str, request) -> bool:
    try:
        Webhook(secret).verify(request["body"], request["headers"])
    except Exception:
        return False
    return True


def test_an_inheriting_location_sends_with_the_parents_url_and_keys(
    worker, receiver, webhook_at, plumbing, eastgate, lead_at, actor
):
    secrets = webhook_at(plumbing, receiver.url, on=False)
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    lead_at(plumbing, "not.told@example.net")
    lead = lead_at(eastgate)
    [request] = receiver.wait(1)
    assert json.loads(request["body"])["data"]["lead"]["id"] == lead.public_id
    assert request["headers"]["X-Secret-Key"] == secrets["Secret key"]
    assert is_signed_by(secrets["Signing secret"], request)


def test_in_an_overlap_the_header_is_the_old_and_the_signature_carries_both(
    worker, receiver, webhook_at, eastgate, lead_at, actor
):
    old = webhook_at(eastgate, receiver.url)
    card = eastgate.restwebhook
    new = cards.regenerate(card=card, actor=actor, overlap=timedelta(hours=1)).secrets
    assert not set(old.values()) & set(new.values())
    lead_at(eastgate)
    [in_overlap] = receiver.wait(1)
    assert in_overlap["headers"]["X-Secret-Key"] == old["Secret key"]
    assert is_signed_by(old["Signing secret"], in_overlap)
    assert is_signed_by(new["Signing secret"], in_overlap)
    cards.switch_header(card=card, actor=actor)
    lead_at(eastgate, message="Second")
    switched = receiver.wait(2)[1]
    assert switched["headers"]["X-Secret-Key"] == new["Secret key"]
    assert is_signed_by(old["Signing secret"], switched)
    cards.end_overlap(card=card, actor=actor)
    lead_at(eastgate, message="Third")
    ended = receiver.wait(3)[2]
    assert not is_signed_by(old["Signing secret"], ended)
    assert is_signed_by(new["Signing secret"], ended)


def test_the_header_can_be_switched_off_and_the_signature_stays(worker, receiver, webhook_at, eastgate, lead_at):
    secrets = webhook_at(eastgate, receiver.url, sends_secret_header=False)
    lead_at(eastgate)
    [request] = receiver.wait(1)
    assert "X-Secret-Key" not in request["headers"]
    assert is_signed_by(secrets["Signing secret"], request)


def test_off_makes_no_deliveries(webhook_at, eastgate, lead_at, actor):
    webhook_at(eastgate, "http://127.0.0.1:9/hook", on=False)
    lead_at(eastgate)
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    assert not Delivery.objects.exists()


def test_five_days_of_nothing_but_failures_stop_it(worker, receiver, webhook_at, eastgate, lead_at):
    webhook_at(eastgate, receiver.url)
    lane = Lane.objects.filter(rest_webhook__source=eastgate)
    lane.update(failing_since=timezone.now() - timedelta(days=4, hours=23))
    receiver.answers = [500, 500]
    lead_at(eastgate)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    assert lane.get().stopped_at is None
    lane.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
    lead_at(eastgate, "bob@example.net")
    wait_for(lambda: lane.get().stopped_at)
    assert "5 days" in lane.get().stopped_because


def test_only_the_default_events_are_sent_until_others_are_chosen(
    worker, receiver, mail_server, webhook_at, eastgate, lead_at, api, key_of, actor
):
    webhook_at(eastgate, receiver.url)
    lead, key = lead_at(eastgate), key_of(eastgate)
    api.reply(key, lead)
    mail_server.wait(1)
    cards.configure(card=eastgate.restwebhook, actor=actor, event_types=["lead.created", "message.sent"])
    api.reply(key, lead, "And coffee?")
    types = [json.loads(request["body"])["type"] for request in receiver.wait(2)]
    assert types == ["lead.created", "message.sent"]
    assert receiver.bodies()[1]["data"]["message"]["author"]["kind"] == "api"


def test_include_source_name_adds_it_to_every_lead_that_is_told(worker, receiver, webhook_at, eastgate, lead_at, actor):
    webhook_at(eastgate, receiver.url)
    lead_at(eastgate)
    receiver.wait(1)
    cards.configure(card=eastgate.restwebhook, actor=actor, includes_source_name=True)
    lead_at(eastgate, message="Second")
    receiver.wait(2)
    assert [body["data"]["lead"].get("source_name") for body in receiver.bodies()] == [None, "Eastgate"]


def test_a_lead_held_back_is_announced_once_as_new_with_its_history(
    worker, receiver, webhook_at, eastgate, api, token, actor
):
    webhook_at(eastgate, receiver.url)
    cards.configure(card=eastgate.restwebhook, actor=actor, needs_contact=True)
    unready = {"identifier_type": "unique_id", "unique_id": "A1", "source_id": eastgate.public_id}
    api.create_lead(token, **unready, email="", request_title="First words")
    api.create_lead(token, **unready, email="ava@example.net", request_title="Here I am")
    receiver.wait(1)
    [body] = receiver.bodies()
    assert (body["type"], body["data"]["lead"]["is_new"]) == ("lead.created", True)
    told = [message["content"] for message in body["data"]["conversation"]["messages"]]
    assert told == ["Here I am", "First words"]


def test_notes_are_in_no_webhook_and_no_mail(worker, receiver, mail_server, webhook_at, eastgate, api, token, key_of):
    from leads.models import Lead

    webhook_at(eastgate, receiver.url)
    api.create_lead(token, source_id=eastgate.public_id, system_message="Owes us money", notifications="auto-reply")
    api.reply(key_of(eastgate), Lead.objects.get())
    mails, [request] = mail_server.wait(2), receiver.wait(1)
    assert b"Owes us money" not in request["body"]
    assert not [mail for mail in mails if "Owes us money" in mail.as_string()]


def test_disconnect_clears_keys_and_url_and_keeps_options_and_history(
    worker, receiver, webhook_at, eastgate, lead_at, actor
):
    webhook_at(eastgate, receiver.url)
    card = eastgate.restwebhook
    cards.configure(card=card, actor=actor, includes_source_name=True)
    cards.regenerate(card=card, actor=actor, overlap=timedelta(hours=1))
    lead_at(eastgate)
    receiver.wait(1)
    wait_for(lambda: not Delivery.objects.exists())
    cards.disconnect(card=card, actor=actor)
    gone = RestWebhook.objects.get(pk=card.pk)
    assert (gone.url, gone.secrets.count(), gone.is_enabled) == ("", 0, False)
    assert gone.includes_source_name
    assert Attempt.objects.filter(lane_id=card.lane_id, outcome="delivered").exists()


def test_verified_lapses_on_a_change_of_url_here_and_at_the_parent(webhook_at, plumbing, eastgate, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    both = [plumbing.restwebhook, eastgate.restwebhook]
    for card in both:
        card.refresh_from_db()
        card.record_check(ok=True, title="Delivered.", detail="")
    cards.configure(card=plumbing.restwebhook, actor=actor, url="http://127.0.0.1:9/other")
    for card in both:
        card.refresh_from_db()
        assert not card.is_verified


def test_an_archived_location_goes_off_with_its_parents_disconnect(webhook_at, plumbing, eastgate, actor):
    from sources.services import archive_source, restore_source

    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    cards.switch(card=eastgate.restwebhook, on=True, actor=actor)
    archive_source(source=eastgate, actor=actor)
    cards.disconnect(card=plumbing.restwebhook, actor=actor)
    webhook_at(plumbing, "http://127.0.0.1:9/new")
    restore_source(source=eastgate, actor=actor)
    assert not RestWebhook.objects.get(source=eastgate).is_enabled
