"""Many locations at once, from their business's card."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations import services as cards
from sources.services import create_source
from tests.support.people import log_in, person
from webhooks.models import RestWebhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(plumbing, actor) -> str:
    cards.set_up(card=plumbing.restwebhook, actor=actor, url="https://crm.example.com/x")
    return f"/sources/{plumbing.public_id}/messaging/integrations/rest-webhook/locations/"


def test_locations_inherit_go_on_and_are_tested_together(table, dana_client, eastgate, westgate):
    both = [eastgate.public_id, westgate.public_id]
    page = dana_client.post(table, {"action": "enable", "locations": both}).content.decode()
    assert page.count("Create a key first") == 2
    for action in ("inherit", "enable", "test"):
        page = dana_client.post(table, {"action": action, "locations": both}).content.decode()
        assert page.count("Done") == 2, action
    rows = RestWebhook.objects.filter(source__in=[eastgate, westgate]).select_related("lane")
    assert all(row.inherits and row.is_enabled and row.is_checking for row in rows)
    dana_client.post(table, {"action": "disable", "locations": [eastgate.public_id]})
    assert [row.is_enabled for row in rows.order_by("source__name").all()] == [False, True]


@pytest.mark.parametrize("slug", ["rest-webhook", "lead-reply-api"])
def test_a_location_more_costs_one_look_at_its_health(slug, dana_client, plumbing, eastgate, northside, actor):
    url = f"/sources/{plumbing.public_id}/messaging/integrations/{slug}/locations/"

    def statements() -> int:
        dana_client.get(url)
        with CaptureQueriesContext(connection) as seen:
            assert dana_client.get(url).status_code == 200
        return len(seen)

    before = statements()
    for number in range(5):
        location = create_source(organization=northside, actor=actor, parent=plumbing, name=f"Location {number}")
        card = getattr(location, slug.replace("-", ""))
        cards.set_inherits(card=card, inherits=number % 2 == 0, actor=actor)
    assert statements() <= before + 5


def test_what_is_not_ticked_or_not_ones_own_is_left_alone(table, dana_client, eastgate, westgate, dental, northside):
    dana_client.post(table, {"action": "inherit", "locations": [eastgate.public_id, dental.public_id, "rubbish"]})
    assert list(RestWebhook.objects.exclude(inherits_at=None).values_list("source", flat=True)) == [eastgate.pk]
    limited = log_in(person("mia", northside, "manager", eastgate))
    assert limited.get(table).status_code == 404
    assert log_in(person("ann", northside, "agent")).get(table).status_code == 403


def test_only_a_business_has_such_a_table(dana_client, eastgate):
    url = f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/locations/"
    assert dana_client.get(url).status_code == 404
