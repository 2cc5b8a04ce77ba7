"""A third card takes one folder and one line of settings: nothing else of the product knows the list."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import override_settings

from accounts.models import AuditEntry
from integrations import services as cards
from integrations.registry import card_kinds
from sources.services import create_source

pytestmark = pytest.mark.django_db(transaction=True)

APP = "tests.integrations.third_card"


@pytest.fixture
def third_card() -> Iterator[None]:
    """The line of settings (INSTALLED_APPS has the same list in it), and the tables that its migration would make."""
    both = {
        "INTEGRATION_CARDS": [*settings.INTEGRATION_CARDS, APP],
        "INSTALLED_APPS": [*settings.INSTALLED_APPS, APP],
    }
    with override_settings(**both):
        card_kinds.cache_clear()
        apps.clear_cache()  # a source knows its cards
        models = list(apps.get_app_config("third_card").get_models())
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        yield
        with connection.schema_editor() as editor:
            for model in reversed(models):
                editor.delete_model(model)
    card_kinds.cache_clear()
    apps.clear_cache()


@pytest.fixture
def salon(third_card, northside, actor):
    return create_source(organization=northside, actor=actor, name="Salon")


def test_every_new_source_has_it(salon):
    assert not salon.calendar.is_enabled


def test_the_tab_shows_it_and_its_buttons_work(dana_client, salon):
    tab = f"/sources/{salon.public_id}/messaging/integrations/"
    assert "Offers appointments." in html.unescape(dana_client.get(tab).content.decode())
    htmx = {"HX-Request": "true"}
    assert "cal_1" in dana_client.post(f"{tab}calendar/set-up/", headers=htmx).content.decode()
    dana_client.post(f"{tab}calendar/check/", headers=htmx)
    dana_client.post(f"{tab}calendar/enabled/", {"on": "1"}, headers=htmx)
    dana_client.post(f"{tab}calendar/options/", {"needs_contact": "1"}, headers=htmx)
    card = type(salon).objects.get(pk=salon.pk).calendar
    assert (card.is_enabled, card.is_verified, card.needs_contact) == (True, True, True)
    page = html.unescape(dana_client.post(f"{tab}calendar/disconnect/", headers=htmx).content.decode())
    assert "No appointment is offered any more." in page
    assert AuditEntry.objects.filter(action="calendar.disconnect").exists()


def test_locations_inherit_it(salon, northside, actor):
    chair = create_source(organization=northside, actor=actor, name="Chair 1", parent=salon)
    cards.set_up(card=salon.calendar, actor=actor)
    cards.set_inherits(card=chair.calendar, inherits=True, actor=actor)
    cards.switch(card=chair.calendar, on=True, actor=actor)
    assert [card.source for card in cards.disconnect(card=salon.calendar, actor=actor)] == [chair]


def test_the_api_has_it(api, token, dana, actor, salon):
    from accounts.models import Membership
    from api.services import make_token

    key = make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Setup", scopes=["sources:write"])[1]
    shown = api.post(f"sources/{salon.public_id}/cards/calendar/regenerate", key, {}).json()["data"]["card"]
    assert (shown["slug"], shown["secrets"]) == ("calendar", {"Key": "cal_1"})
    changed = api.call("PATCH", f"sources/{salon.public_id}/cards/calendar", key, {"enabled": True})
    assert changed.json()["data"]["card"]["enabled"]
    refused = api.call("PATCH", f"sources/{salon.public_id}/cards/calendar", key, {"event_types": ["lead.created"]})
    assert refused.json()["errors"][0]["code"] == "notHere"
    source = api.get(f"sources/{salon.public_id}", key).json()["data"]["source"]
    assert source["cards"] == {"rest-webhook": False, "lead-reply-api": False, "calendar": True}


def test_archiving_and_restoring_go_by_all_cards(salon, actor):
    from sources.services import archive_source, restore_source

    archive_source(source=salon, actor=actor)
    restore_source(source=salon, actor=actor)
    assert not type(salon).objects.get(pk=salon.pk).is_archived
