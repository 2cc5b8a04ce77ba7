"""The parts that every card has, sentence by sentence, as its page shows them."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
from django.utils import timezone

from api.models import ApiCall
from core.ids import encode
from integrations import services as cards
from integrations.lead_reply_api.models import LeadReplyApi
from outbox.models import Lane
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
TAB = "/sources/{}/messaging/integrations/"


@pytest.fixture
def page(dana_client):
    return lambda source: html.unescape(dana_client.get(TAB.format(source.public_id)).content.decode())


def test_inherit_is_only_shown_on_a_location(page, plumbing, eastgate):
    assert "Inherit from parent" in page(eastgate)
    assert "Inherit from parent" not in page(plumbing)


def test_enable_is_off_at_first_and_refused_with_the_reason_without_a_credential(page, dana_client, plumbing):
    path = TAB.format(plumbing.public_id) + "lead-reply-api/enabled/"
    answer = dana_client.post(path, {"on": "1"}, headers={"HX-Request": "true"})
    assert "Create a key first, then you can turn this on." in answer.content.decode()
    assert not LeadReplyApi.objects.get(source=plumbing).is_enabled


def test_the_switch_says_by_whom_and_when(page, key_of, plumbing):
    key_of(plumbing)
    assert "by Dana" in page(plumbing)


def test_the_inherited_value_is_read_only_with_a_link_to_its_owner(page, webhook_at, plumbing, eastgate, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    shown = page(eastgate)
    assert f'href="{TAB.format(plumbing.public_id)}' in shown
    assert "http://127.0.0.1:9/" in shown
    card = shown[shown.index('id="card-rest-webhook') :] if 'id="card-rest-webhook' in shown else shown
    assert 'name="url"' not in card.split("</article>")[0]


def test_a_key_is_shown_in_full_once_then_masked(page, dana_client, plumbing):
    path = TAB.format(plumbing.public_id) + "lead-reply-api/set-up/"
    made = html.unescape(dana_client.post(path, headers={"HX-Request": "true"}).content.decode())
    key = made[made.index("lwr_") :].split("<")[0]
    assert made.count(key) >= 2  # with the ready code
    assert key not in page(plumbing)
    assert f"{key[:12]}…{key[-4:]}" in page(plumbing) or f"…{key[-4:]}" in page(plumbing)


def test_the_ready_code_names_the_real_source_and_address(page, key_of, plumbing, settings):
    settings.BASE_URL = "https://leads.example"
    key_of(plumbing)
    shown = page(plumbing)
    assert shown.count(f"https://leads.example/v1/leads?source_id={plumbing.public_id}") >= 1
    assert shown.count(plumbing.public_id) >= 3


def test_the_ready_code_keeps_its_key_while_the_key_is_visible(dana_client, plumbing, key_of):
    key_of(plumbing, on=False)
    path = TAB.format(plumbing.public_id) + "lead-reply-api/enabled/"
    answer = dana_client.post(path, {"on": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert answer.count('hx-preserve="true"') == 2  # the key and the code stand until they are copied


def test_regenerate_on_a_parent_names_the_locations_that_inherit(page, key_of, plumbing, eastgate, westgate, actor):
    key_of(plumbing)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    shown = page(plumbing)
    dialog = shown[shown.index("Regenerate key") :]
    assert "Eastgate" in dialog
    assert "Westgate" not in dialog


def test_health_says_no_traffic_working_failing_stopped(page, webhook_at, plumbing):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    assert "No traffic yet" in page(plumbing)
    lane = Lane.objects.filter(rest_webhook__source=plumbing)
    lane.update(last_ok_at=timezone.now())
    assert "Working" in page(plumbing)
    lane.update(failing_since=timezone.now(), last_error="500 from your server")
    assert "500 from your server" in page(plumbing)
    lane.update(stopped_at=timezone.now(), stopped_because="It answered 410 Gone")
    assert "It answered 410 Gone" in page(plumbing)


def test_activity_has_the_newest_first_each_with_a_link(page, api, key_of, webhook_at, plumbing, lead_at):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead = lead_at(plumbing)
    lead_at(plumbing, message="Second")
    shown = page(plumbing)
    first, second = (encode("dlv", delivery.pk) for delivery in Delivery.objects.order_by("id"))
    assert shown.index(f"/deliveries/{second}/") < shown.index(f"/deliveries/{first}/")
    key = key_of(plumbing)
    api.reply(key, lead)
    api.reply(key, lead, content="")
    shown = page(plumbing)
    good, bad = (encode("call", call.pk) for call in ApiCall.objects.order_by("id"))
    assert shown.index(f"/activity/calls/{bad}/") < shown.index(f"/activity/calls/{good}/")


def test_the_detail_of_a_call_says_what_was_refused(dana_client, api, key_of, plumbing, lead_at):
    api.reply(key_of(plumbing), lead_at(plumbing), content="", headers={"X_Request_Id": "caller-12345678"})
    path = f"/activity/calls/{encode('call', ApiCall.objects.get().pk)}/"
    shown = dana_client.get(path).content.decode()
    assert "request.invalid" in shown
    assert "caller-12345678" in shown


def test_a_tokens_calls_are_not_the_cards_activity(page, api, token, key_of, plumbing):
    key_of(plumbing)
    api.create_lead(token)
    assert ApiCall.objects.count() == 1
    assert "/activity/calls/" not in page(plumbing)


def test_validate_says_what_is_missing_and_never_turns_it_on(dana_client, page, plumbing, key_of):
    path = TAB.format(plumbing.public_id) + "lead-reply-api/check/"
    assert "no secret key yet" in dana_client.post(path, headers={"HX-Request": "true"}).content.decode()
    key_of(plumbing, on=False)
    dana_client.post(path)
    assert "Turn this on to let replies through" in page(plumbing)
    assert LeadReplyApi.objects.get(source=plumbing).is_verified
    plumbing.connections.update(disconnected_at=timezone.now())
    dana_client.post(path)
    assert "No channel of this source can deliver a reply" in page(plumbing)
    assert not LeadReplyApi.objects.get(source=plumbing).is_enabled


def test_an_overlap_of_1_hour_24_hours_or_7_days_is_offered(dana_client, page, plumbing, key_of):
    key_of(plumbing)
    path = TAB.format(plumbing.public_id) + "lead-reply-api/regenerate/"
    for choice, length in {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}.items():
        dana_client.post(path, {"overlap": choice})
        old = LeadReplyApi.objects.get(source=plumbing).keys.exclude(ends_at=None).get()
        assert old.ends_at
        assert abs(old.ends_at - timezone.now() - length) < timedelta(minutes=1), choice
    dana_client.post(path, {"overlap": ""})
    assert LeadReplyApi.objects.get(source=plumbing).keys.count() == 1
