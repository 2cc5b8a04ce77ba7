"""Many locations at once, from their business's card."""

from __future__ import annotations

import pytest

from integrations.models import RestWebhook
from integrations.services import cards
from tests.conftest import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(plumbing, actor) -> str:
    cards.set_up(card=plumbing.restwebhook, actor=actor, url="https://crm.example.com/x")
    return f"/sources/{plumbing.public_id}/messaging/integrations/rest-webhook/locations/"


def test_locations_inherit_go_on_and_are_tested_together(table, dana_client, eastgate, westgate):
    both = [eastgate.public_id, westgate.public_id]
    page = dana_client.post(table, {"action": "enable", "locations": both}).content.decode()
    assert page.count("Set the card up first") == 2
    for action in ("inherit", "enable", "test"):
        page = dana_client.post(table, {"action": action, "locations": both}).content.decode()
        assert page.count("Done") == 2, action
    rows = RestWebhook.objects.filter(source__in=[eastgate, westgate]).select_related("lane")
    assert all(one.inherits and one.is_enabled and one.is_checking for one in rows)
    dana_client.post(table, {"action": "disable", "locations": [eastgate.public_id]})
    assert [one.is_enabled for one in rows.order_by("source__name").all()] == [False, True]


def test_what_is_not_ticked_or_not_ones_own_is_left_alone(table, dana_client, eastgate, westgate, dental, northside):
    dana_client.post(table, {"action": "inherit", "locations": [eastgate.public_id, dental.public_id, "rubbish"]})
    assert list(RestWebhook.objects.exclude(inherits_at=None).values_list("source", flat=True)) == [eastgate.pk]
    limited = log_in(person("mia", northside, "manager", eastgate))
    assert limited.get(table).status_code == 404
    assert log_in(person("ann", northside, "agent")).get(table).status_code == 403


def test_only_a_business_has_such_a_table(dana_client, eastgate):
    url = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/locations/"
    assert dana_client.get(url).status_code == 404
