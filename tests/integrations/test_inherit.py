"""Each sentence of "Inherit from parent" of product.md."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry
from core.problems import Refusal
from integrations import services as cards
from integrations.lead_reply_api.models import LeadReplyApi
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


def inherit(actor, *sources, on: bool = True) -> None:
    for source in sources:
        cards.set_inherits(card=source.leadreplyapi, inherits=True, actor=actor)
        if on:
            cards.switch(card=source.leadreplyapi, on=True, actor=actor)


def fresh(source) -> LeadReplyApi:
    return LeadReplyApi.objects.select_related("source__parent").get(source=source)


def test_everything_but_the_credential_stays_the_locations_own(api, key_of, plumbing, eastgate, actor, lead_at):
    key = key_of(plumbing)
    cards.configure(card=plumbing.leadreplyapi, actor=actor, includes_source_name=True)
    inherit(actor, eastgate)
    lead = lead_at(eastgate)
    assert "source_name" not in api.get(f"leads/{lead.public_id}", key).json()["data"]["lead"]
    cards.configure(card=eastgate.leadreplyapi, actor=actor, includes_source_name=True)
    assert api.get(f"leads/{lead.public_id}", key).json()["data"]["lead"]["source_name"] == "Eastgate"


def test_the_own_key_is_dormant_and_wakes_again(api, key_of, plumbing, eastgate, actor, lead_at):
    own, lead = key_of(eastgate), lead_at(eastgate)
    key_of(plumbing)
    inherit(actor, eastgate)
    assert api.get("whoami", own).status_code == 401
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=False, actor=actor)
    assert api.reply(own, lead).status_code == 201


def test_a_key_that_was_disconnected_meanwhile_is_gone_not_revived(api, key_of, plumbing, eastgate, actor):
    own = key_of(eastgate)
    key_of(plumbing)
    inherit(actor, eastgate)
    cards.disconnect(card=eastgate.leadreplyapi, actor=actor)
    assert not fresh(eastgate).inherits
    assert not fresh(eastgate).is_set_up
    assert api.get("whoami", own).status_code == 401


def test_the_parents_enable_governs_only_the_parents_own_leads(api, key_of, plumbing, eastgate, actor, lead_at):
    key = key_of(plumbing, on=False)
    inherit(actor, eastgate)
    assert api.reply(key, lead_at(eastgate)).status_code == 201
    answer = api.reply(key, lead_at(plumbing))
    assert (answer.status_code, answer.json()["code"]) == (403, "integration.disabled")
    listed = api.get("leads", key).json()["data"]["leads"]
    assert [lead["source_id"] for lead in listed] == [eastgate.public_id]


def test_disconnect_on_an_inheriting_location_does_not_touch_the_parent(api, key_of, plumbing, eastgate, actor):
    key = key_of(plumbing)
    inherit(actor, eastgate)
    assert cards.disconnect(card=eastgate.leadreplyapi, actor=actor) == []
    card = fresh(eastgate)
    assert (card.inherits, card.is_enabled) == (False, False)
    assert api.get("leads", key).status_code == 200


def test_disconnect_on_the_parent_turns_the_inheriting_locations_off_and_says_which(
    key_of, plumbing, eastgate, westgate, actor
):
    key_of(plumbing)
    inherit(actor, eastgate)
    inherit(actor, westgate, on=False)
    turned_off = cards.disconnect(card=plumbing.leadreplyapi, actor=actor)
    assert [card.source.name for card in turned_off] == ["Eastgate"]
    assert fresh(eastgate).switched_because == "Northside Plumbing was disconnected"
    cards.set_up(card=plumbing.leadreplyapi, actor=actor)
    assert not fresh(eastgate).is_enabled, "a new key does not turn them on"


def test_turning_it_on_without_a_credential_is_refused_with_the_reason(plumbing, eastgate, actor):
    with pytest.raises(Refusal, match="Create a key first"):
        cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    with pytest.raises(Refusal, match="Northside Plumbing has no key yet"):
        cards.switch(card=fresh(eastgate), on=True, actor=actor)


def test_verified_lapses_on_a_change_at_the_parent(key_of, plumbing, eastgate, actor):
    key_of(plumbing)
    inherit(actor, eastgate)
    cards.check(card=fresh(eastgate), actor=actor)
    assert fresh(eastgate).is_verified
    cards.regenerate(card=plumbing.leadreplyapi, actor=actor)
    assert not fresh(eastgate).is_verified


def test_verified_lapses_when_inheritance_changes(key_of, plumbing, eastgate, actor):
    key_of(plumbing)
    key_of(eastgate)
    cards.check(card=fresh(eastgate), actor=actor)
    cards.set_inherits(card=fresh(eastgate), inherits=True, actor=actor)
    assert not fresh(eastgate).is_verified


def test_a_key_can_be_kept_in_overlap_and_ended(api, key_of, plumbing, actor):
    from datetime import timedelta

    first = key_of(plumbing)
    second = cards.regenerate(card=plumbing.leadreplyapi, actor=actor, overlap=timedelta(hours=1)).secrets["Secret key"]
    assert [api.get("whoami", key).status_code for key in (first, second)] == [200, 200]
    third = cards.regenerate(card=plumbing.leadreplyapi, actor=actor, overlap=timedelta(hours=1)).secrets["Secret key"]
    assert [api.get("whoami", key).status_code for key in (first, second, third)] == [401, 200, 200]
    cards.end_overlap(card=plumbing.leadreplyapi, actor=actor)
    assert [api.get("whoami", key).status_code for key in (second, third)] == [401, 200]


@pytest.fixture
def maya(northside, eastgate):
    """A manager who may configure only the location."""
    return person("maya", northside, "manager", eastgate)


def test_who_may_configure_only_the_location_cannot_turn_inherit_on(maya, eastgate, key_of, plumbing):
    key_of(plumbing)
    path = f"/sources/{eastgate.public_id}/messaging/integrations/lead-reply-api"
    client = log_in(maya)
    assert client.post(f"{path}/inherits/", {"on": "1"}).status_code == 403
    assert not fresh(eastgate).inherits


def test_who_may_configure_only_the_location_cannot_regenerate_or_reveal(maya, eastgate, plumbing, webhook_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/secret-path")
    cards.set_inherits(card=eastgate.restwebhook, inherits=True, actor=actor)
    path = f"/sources/{eastgate.public_id}/messaging/integrations"
    client = log_in(maya)
    assert client.post(f"{path}/rest-webhook/regenerate/").status_code == 403
    page = client.get(f"{path}/").content.decode()
    assert "inherited from" in page.lower()
    assert "http://127.0.0.1:9/…" in page
    assert "secret-path" not in page
    assert client.get(f"{path}/rest-webhook/secrets/").status_code == 403


BUSINESS_CARD = "{business}/messaging/integrations/lead-reply-api"
LOCATION_CARD = "{location}/messaging/integrations/lead-reply-api"
AUDITED = [
    (f"{BUSINESS_CARD}/enabled/", {}, "lead-reply-api.off"),
    (f"{BUSINESS_CARD}/enabled/", {"on": "1"}, "lead-reply-api.on"),
    (f"{BUSINESS_CARD}/options/", {"needs_contact": "1"}, "lead-reply-api.configure"),
    (f"{BUSINESS_CARD}/regenerate/", {"overlap": "1h"}, "lead-reply-api.regenerate"),
    (f"{BUSINESS_CARD}/overlap/", {}, "lead-reply-api.overlap-end"),
    (f"{LOCATION_CARD}/inherits/", {"on": "1"}, "lead-reply-api.inherit"),
    (f"{LOCATION_CARD}/inherits/", {}, "lead-reply-api.inherit-end"),
    (f"{BUSINESS_CARD}/disconnect/", {}, "lead-reply-api.disconnect"),
    (
        "{business}/messaging/integrations/rest-webhook/settings/",
        {"url": "http://127.0.0.1:9/token-in-path2"},
        "rest-webhook.configure",
    ),
    ("{business}/messaging/channels/{channel}/", {}, "channel.disconnect"),
    ("{business}/edit/", {"name": "North", "time_zone": "UTC"}, "source.update"),
    ("/settings/members/", {"email": "n@example.com", "role": "agent"}, "member.invite"),
]


def test_every_change_is_audited_with_who_where_before_and_after_and_secrets_masked(
    dana_client, plumbing, eastgate, northside, key_of, webhook_at, actor
):
    """Each through its page, as a person does it."""
    secrets = [key_of(plumbing), *webhook_at(plumbing, "http://127.0.0.1:9/token-in-path").values()]
    AuditEntry.objects.all().delete()
    places = {
        "business": f"/sources/{plumbing.public_id}",
        "location": f"/sources/{eastgate.public_id}",
        "channel": plumbing.connections.get(provider="installation").pk,
    }
    for path, fields, _ in AUDITED:
        dana_client.post(path.format(**places), fields, REMOTE_ADDR="192.0.2.7")
    rows = list(AuditEntry.objects.order_by("id"))
    assert [row.action for row in rows] == [action for _, _, action in AUDITED]
    for row in rows:
        assert (row.actor, row.address) == ("Dana", "192.0.2.7"), row.action
        assert row.after, row.action
        assert row.before or row.action == "member.invite", row.action
        assert row.before != row.after, row.action
    shown = str([(row.before, row.after, row.target) for row in rows])
    assert not [secret for secret in secrets if secret in shown]
    assert "token-in-path" not in shown
