"""API tokens: what stops them, and who may keep them going."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry, Membership
from accounts.services import members
from api.models import ApiToken
from api.services import make_token
from core.ids import encode
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def max_(northside):
    """A manager who makes tokens."""
    return Membership.objects.get(user=person("max", northside, "manager"))


@pytest.fixture
def key(max_, actor) -> str:
    return make_token(creator=max_, actor=actor, name="CRM", scopes=["leads:write"])[1]


def public_id() -> str:
    return encode("tok", ApiToken.objects.get().pk)


def transfer(client):
    return client.post(f"/settings/tokens/{public_id()}/take-over/")


def test_a_token_stops_when_its_creator_is_removed(api, key, max_, actor, dana_client):
    assert api.get("whoami", key).status_code == 200
    assert "<b>CRM</b>" in dana_client.get(f"/settings/members/{encode('mem', max_.pk)}/").content.decode()
    members.remove(membership=max_, actor=actor)
    assert api.get("whoami", key).status_code == 401
    assert "Stopped: its creator left" in dana_client.get("/settings/tokens/").content.decode()


def test_a_token_stops_when_its_creator_may_no_longer_make_one(api, key, max_, actor):
    members.change(membership=max_, actor=actor, role="agent", sources=[])
    assert api.get("whoami", key).status_code == 401
    members.change(membership=max_, actor=actor, role="manager", sources=[])
    assert api.get("whoami", key).status_code == 200


def test_a_token_carries_the_limit_that_its_creator_has_now(api, key, max_, actor, plumbing, eastgate):
    assert api.create_lead(key, source_id=plumbing.public_id).status_code == 201
    members.change(membership=max_, actor=actor, role="manager", sources=[eastgate])
    assert api.create_lead(key, source_id=plumbing.public_id).status_code == 404
    assert api.create_lead(key, source_id=eastgate.public_id).status_code == 201


def test_an_owner_takes_a_token_over_and_it_works_on(api, key, max_, actor, dana, dana_client):
    members.remove(membership=max_, actor=actor)
    assert transfer(dana_client).status_code == 302
    assert api.get("whoami", key).status_code == 200
    assert ApiToken.objects.get().creator.user == dana
    line = AuditEntry.objects.get(action="token.takeOver")
    assert ("Max" in line.before["creator"], "Dana" in line.after["creator"]) == (True, True)


def test_only_an_owner_takes_a_token_over(api, key, max_, northside):
    assert transfer(log_in(person("mia", northside, "manager"))).status_code == 404
    assert transfer(log_in(max_.user)).status_code == 403
    assert ApiToken.objects.get().creator == max_


def test_a_revoked_token_cannot_be_taken_over(key, dana_client):
    dana_client.post(f"/settings/tokens/{public_id()}/revoke/")
    assert transfer(dana_client).status_code == 404
