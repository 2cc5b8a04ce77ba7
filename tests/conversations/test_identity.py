"""Which lead an arrival belongs to, and what it changes about the lead."""

from __future__ import annotations

import pytest

from conversations.models import Message
from leads.models import Lead

pytestmark = pytest.mark.django_db


def test_the_api_finds_a_lead_only_by_the_declared_identifier(api, token, plumbing):
    api.create_lead(token, unique_id="A1", phone="+14155550101")
    other = {"identifier_type": "unique_id", "unique_id": "B2"}
    answer = api.create_lead(token, **other, email="", phone="+14155550101")
    assert (answer.status_code, answer.json()["created"]) == (201, True)
    assert api.create_lead(token, **other | {"unique_id": "C3"}).json()["code"] == "lead.identifierConflict"


def test_empty_fields_are_filled_and_identity_is_never_overwritten(api, token, plumbing):
    api.create_lead(token)
    answer = api.create_lead(token, first_name="Eva", last_name="Brooks", phone="+14155550101", unique_id="A1")
    assert answer.json()["created"] is False
    api.create_lead(token, last_name="Other", phone="+14155550199", unique_id="B2")
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name, lead.unique_id) == ("Ava", "Brooks", "A1")
    assert lead.phone_e164 == "+14155550101"


def test_request_data_overwrites_custom_fields(api, token, plumbing):
    api.create_lead(token, request_data={"budget": "100", "room": "kitchen"})
    api.create_lead(token, request_data={"budget": "200"})
    assert Lead.objects.get().custom_fields == {"budget": "200", "room": "kitchen"}


def test_an_identifier_of_another_lead_is_a_conflict_and_nothing_is_written(api, token, plumbing):
    api.create_lead(token, email="first@example.net", unique_id="A1")
    first = Lead.objects.get()
    answer = api.create_lead(token, email="second@example.net", unique_id="A1")
    body = answer.json()
    assert (answer.status_code, body["code"], body["lead_id"]) == (409, "lead.identifierConflict", first.public_id)
    assert (Lead.objects.count(), Message.objects.count()) == (1, 1)


def test_filling_that_would_take_anothers_email_is_a_conflict(api, token, plumbing):
    api.create_lead(token, email="first@example.net")
    api.create_lead(token, identifier_type="unique_id", unique_id="B2", email="")
    answer = api.create_lead(token, identifier_type="unique_id", unique_id="B2", email="first@example.net")
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.identifierConflict")


def test_phone_is_never_unique(lead_at, plumbing):
    lead_at(plumbing, "a@example.net", phone="+14155550101")
    lead_at(plumbing, "b@example.net", phone="+14155550101")
    assert Lead.objects.count() == 2


def test_on_a_channel_the_senders_address_decides(lead_at, plumbing):
    first = lead_at(plumbing)
    assert lead_at(plumbing, "AVA@example.net", message="Again") == first


def test_a_phone_number_without_email_finds_the_lead_last_active_with_it(lead_at, plumbing):
    first = lead_at(plumbing, "a@example.net", phone="+1 415 555 0101")
    last = lead_at(plumbing, "b@example.net", phone="+1 415 555 0101")
    assert lead_at(plumbing, "", phone="(415) 555-0101", message="Again").pk == last.pk
    lead_at(plumbing, "a@example.net", message="I am active again")
    lead_at(plumbing, "", phone="+14155550101", message="Once more")
    assert Message.objects.latest("id").lead == first
    assert Lead.objects.count() == 2


def test_email_is_unique_per_source_not_per_organization(lead_at, eastgate, westgate):
    assert lead_at(eastgate) != lead_at(westgate)


def test_a_phone_that_cannot_be_parsed_is_kept_as_written(api, token, plumbing):
    assert api.create_lead(token, phone="ask for Bob").status_code == 201
    lead = Lead.objects.get()
    assert (lead.phone, lead.phone_e164) == ("ask for Bob", "")
