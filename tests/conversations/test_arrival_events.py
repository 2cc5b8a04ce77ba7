"""Which events an arrival becomes, by the options of the card."""

from __future__ import annotations

import pytest

from conversations.models import Conversation
from integrations import services as cards
from leads.models import Lead
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def told(webhook_at, plumbing):
    """What the source's endpoint hears of, in order: (type, message)."""

    def types(source=plumbing) -> list[str]:
        return list(
            Delivery.objects.filter(lane=source.restwebhook.lane_id).order_by("id").values_list("event_type", flat=True)
        )

    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    return types


def test_a_first_contact_is_lead_created_alone_and_later_ones_are_message_received(told, lead_at, plumbing):
    lead_at(plumbing)
    lead_at(plumbing, message="Second")
    assert told() == ["lead.created", "message.received"]


def test_a_returning_lead_is_lead_created_with_is_new_false(told, api, token, plumbing):
    api.create_lead(token)
    api.create_lead(token, request_title="Second")
    assert told() == ["lead.created", "lead.created"]
    assert [event.payload["lead"]["is_new"] for event in Event.objects.order_by("id")] == [True, False]


def test_with_create_only_for_new_leads_a_returning_lead_is_message_received(told, api, token, plumbing, actor):
    cards.configure(card=plumbing.restwebhook, actor=actor, only_new_leads=True)
    api.create_lead(token)
    api.create_lead(token, request_title="Second")
    assert told() == ["lead.created", "message.received"]


def test_a_lead_that_is_not_ready_sends_nothing_then_one_lead_created(told, api, token, plumbing, actor):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    unready = {"identifier_type": "unique_id", "unique_id": "A1"}
    api.create_lead(token, **unready, email="")
    api.create_lead(token, **unready, email="", request_title="Still nobody")
    assert told() == []
    api.create_lead(token, **unready, email="ava@example.net", request_title="Here I am")
    api.create_lead(token, **unready, request_title="And again")
    assert told() == ["lead.created", "lead.created"]
    assert Lead.objects.get().not_announced_to == []


def test_an_option_switched_off_meanwhile_still_announces_the_lead_once(told, plumbing, actor, lead_at, api, token):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "", message="Nobody knows me")
    assert told() == []
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=False)
    conversation = Conversation.objects.get()
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Identified

    for text in ("First", "Second"):
        lead = Lead.objects.get()
        arrive(source=plumbing, who=Identified(lead), words=InboundContent(text, "x"), into=conversation)
    assert told() == ["lead.created", "message.received"]


def test_contact_captured_comes_only_when_contact_arrives_later(told, plumbing, api, token):
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Details, identify_by

    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    details = Details(unique_id="A1", email="ava@example.net")
    who = identify_by("unique_id", source=plumbing, details=details)
    arrive(source=plumbing, who=who, words=InboundContent("My address is ava@example.net", "x"))
    assert told() == ["lead.created", "lead.contact_captured"]


def test_who_asked_for_messages_only_gets_each_message_once(told, plumbing, api, token, actor):
    from conversations.services.arrivals import InboundContent, arrive
    from leads.services import Details, identify_by

    cards.configure(card=plumbing.restwebhook, actor=actor, event_types=["message.received"])
    api.create_lead(token, identifier_type="unique_id", unique_id="A1", email="")
    who = identify_by("unique_id", source=plumbing, details=Details(unique_id="A1", email="ava@example.net"))
    arrive(source=plumbing, who=who, words=InboundContent("Here it is", "x"))
    assert told() == ["message.received", "message.received"]


def test_each_cards_options_shape_what_passes_through_that_card_alone(told, api, key_of, plumbing, actor, lead_at):
    cards.configure(card=plumbing.restwebhook, actor=actor, needs_contact=True)
    lead_at(plumbing, "")
    assert told() == []
    assert len(api.get("leads", key_of(plumbing)).json()["data"]["leads"]) == 1
