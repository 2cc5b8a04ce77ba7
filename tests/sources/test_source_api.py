"""Sources and their cards by API: what the screens do, and eighty locations in one script."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry, Membership, Source
from api.services import make_token
from outbox.models import Lane
from tests.support.people import person

pytestmark = pytest.mark.django_db
SCOPES = ["sources:write"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Ops", scopes=SCOPES)[1]


def card(api, key, source, slug="rest-webhook", **changes):
    path = f"sources/{source if isinstance(source, str) else source.public_id}/cards/{slug}"
    answer = api.call("PATCH", path, key, changes) if changes else api.get(path, key)
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]["card"]


def test_eighty_locations_are_one_script(api, key, plumbing):
    business = card(api, key, plumbing, url="https://crm.example.com/leadwire", enabled=True)
    assert business["enabled"]
    assert set(business["secrets"]) == {"Secret key", "Signing secret"}
    for number in range(80):
        body = {"name": f"Location {number}", "parent_id": "north", "external_id": f"loc-{number}"}
        created = api.post("sources", key, body).json()["data"]["source"]
        shown = card(api, key, created["id"], inherits=True, enabled=True, needs_contact=True)
        assert (shown["enabled"], shown["inherits"], shown["is_set_up"]) == (True, True, True)
    assert Source.objects.filter(parent=plumbing).count() == 80
    assert Lane.objects.filter(rest_webhook__source__parent=plumbing, held_at=None).count() == 80
    listed = api.get(f"sources?parent_id={plumbing.public_id}&limit=100", key).json()["data"]["sources"]
    assert len(listed) == 80
    assert all(row["cards"]["rest-webhook"] for row in listed)


def test_a_source_is_made_read_changed_archived_and_restored(api, key, northside):
    created = api.post("sources", key, {"name": "Roofing", "time_zone": "Europe/Berlin"})
    assert created.status_code == 201
    source = created.json()["data"]["source"]
    path = f"sources/{source['id']}"
    assert (source["kind"], source["cards"]) == ("business", {"rest-webhook": False, "lead-reply-api": False})
    changed = api.call("PATCH", path, key, {"external_id": "roof", "form_origins": ["https://roof.example.com/"]})
    assert changed.json()["data"]["source"]["form_origins"] == ["https://roof.example.com"]
    assert api.post(f"{path}/archive", key).json()["data"]["source"]["archived_at"]
    assert api.get("sources", key).json()["data"]["sources"] == []
    assert [source["id"] for source in api.get("sources?archived=true", key).json()["data"]["sources"]] == [
        source["id"]
    ]
    refused = api.call("PATCH", f"{path}/cards/rest-webhook", key, {"enabled": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "source.archived")
    assert api.post(f"{path}/restore", key).json()["data"]["source"]["archived_at"] is None
    assert AuditEntry.objects.filter(action="source.archive", actor="Ops (API)").exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/name"),
        ({"name": "X", "time_zone": "Mars/Olympus"}, "#/time_zone"),
        ({"name": "X", "parent_id": "nowhere"}, "#/parent_id"),
        ({"name": "X", "external_id": "north"}, "#/external_id"),
        ({"name": "X", "form_origins": ["ftp://x"]}, "#/form_origins"),
        ({"name": "X", "colour": "red"}, "#/colour"),
    ],
)
def test_a_bad_source_names_its_field_and_is_not_made(api, key, plumbing, body, pointer):
    before = Source.objects.count()
    refused = api.post("sources", key, body)
    assert refused.status_code == 400, refused.json()
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert Source.objects.count() == before


def test_a_location_has_no_locations(api, key, eastgate):
    refused = api.post("sources", key, {"name": "X", "parent_id": eastgate.public_id})
    assert refused.json()["errors"][0]["code"] == "notABusiness"


def test_the_reply_cards_first_key_is_made_and_replaced(api, key, plumbing):
    path = f"sources/{plumbing.public_id}/cards/lead-reply-api"
    first = api.post(f"{path}/regenerate", key, {}).json()["data"]["card"]["secrets"]["Secret key"]
    assert api.get("whoami", first).status_code == 200
    second = api.post(f"{path}/regenerate", key, {"overlap": "1h"}).json()["data"]["card"]
    assert [bool(row["ends_at"]) for row in second["keys"]] == [False, True]
    assert [api.get("whoami", secret).status_code for secret in (first, second["secrets"]["Secret key"])] == [200, 200]
    third = api.post(f"{path}/regenerate", key, {}).json()["data"]["card"]["secrets"]["Secret key"]
    assert [api.get("whoami", one).status_code for one in (first, third)] == [401, 200]
    validated = api.post(f"{path}/validate", key)
    assert validated.status_code == 200
    assert validated.json()["data"]["card"]["last_check"]["ok"] is True
    assert api.post(f"{path}/disconnect", key).json()["data"]["card"]["is_set_up"] is False
    assert api.get("whoami", third).status_code == 401


def test_a_tested_webhook_is_read_again(api, key, plumbing):
    card(api, key, plumbing, url="https://crm.example.com/x")
    answer = api.post(f"sources/{plumbing.public_id}/cards/rest-webhook/validate", key)
    assert answer.status_code == 202
    assert answer.json()["data"]["card"]["is_checking"] is True


def test_what_cannot_be_done_is_refused_whole(api, key, plumbing, eastgate):
    path = f"sources/{eastgate.public_id}/cards/rest-webhook"
    refused = api.call("PATCH", path, key, {"needs_contact": True, "inherits": True, "enabled": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "card.notSetUp")
    assert card(api, key, eastgate)["needs_contact"] is False, "all of it, or nothing"
    for slug, body, pointer in (
        ("lead-reply-api", {"url": "https://x.example.com"}, "#/url"),
        ("rest-webhook", {"url": "https://10.0.0.1/"}, "#/url"),
        ("rest-webhook", {"event_types": ["lead.vanished"]}, "#/event_types/0"),
    ):
        bad = api.call("PATCH", f"sources/{eastgate.public_id}/cards/{slug}", key, body)
        assert bad.status_code == 400
        assert bad.json()["errors"][0]["pointer"] == pointer
    assert api.get(f"sources/{eastgate.public_id}/cards/pigeon", key).status_code == 404


def test_a_limited_manager_works_within_their_sources(api, northside, plumbing, eastgate, westgate, actor, key):
    card(api, key, plumbing, url="https://crm.example.com/secret-path", enabled=True)
    card(api, key, eastgate, inherits=True)
    mia = Membership.objects.get(user=person("mia", northside, "manager", eastgate))
    theirs = make_token(creator=mia, actor=actor, name="Mia", scopes=SCOPES)[1]
    assert [source["name"] for source in api.get("sources", theirs).json()["data"]["sources"]] == ["Eastgate"]
    assert api.get(f"sources/{westgate.public_id}", theirs).status_code == 404
    shown = card(api, theirs, eastgate)
    assert (shown["url"], shown["keys"]) == ("https://crm.example.com", [])
    for method, path, body in (
        ("POST", "cards/rest-webhook/regenerate", {}),
        ("PATCH", "cards/rest-webhook", {"url": "https://evil.example.com"}),
    ):
        refused = api.call(method, f"sources/{eastgate.public_id}/{path}", theirs, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "request.forbidden")
    assert (
        api.call("PATCH", f"sources/{eastgate.public_id}/cards/rest-webhook", theirs, {"inherits": False}).status_code
        == 200
    )
    again = api.call("PATCH", f"sources/{eastgate.public_id}/cards/rest-webhook", theirs, {"inherits": True})
    assert again.status_code == 403
    assert api.post("sources", theirs, {"name": "New business"}).status_code == 403
    assert api.post("sources", theirs, {"name": "New", "parent_id": plumbing.public_id}).status_code == 400


def test_a_reply_key_opens_no_source(api, key_of, plumbing):
    theirs = key_of(plumbing)
    for path in ("sources", f"sources/{plumbing.public_id}", f"sources/{plumbing.public_id}/cards/rest-webhook"):
        assert api.get(path, theirs).status_code == 403
