"""Who is let in, and what is answered once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership
from api.models import ApiToken, IdempotencyKey
from api.services import make_token
from conversations.models import Message
from conversations.services.replies import Author
from integrations import services as cards
from integrations.lead_reply_api.models import ReplyKey
from outbox.database import plain_parameters
from sources.services import archive_source

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_no_key_opens_an_archived_source(api, key_of, plumbing, eastgate, actor, lead_at):
    key, lead = key_of(plumbing), lead_at(eastgate)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    assert api.reply(key, lead).status_code == 201
    archive_source(source=eastgate, actor=actor)
    assert api.reply(key, lead).status_code == 404
    archive_source(source=plumbing, actor=actor)
    assert api.get("whoami", key).status_code == 401


def test_a_token_stops_when_revoked_expired_or_its_creators_membership_ends(api, token):
    assert api.get("whoami", token).status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("whoami", token).status_code == 401
    ApiToken.objects.update(expires_at=None, revoked_at=timezone.now())
    assert api.get("whoami", token).status_code == 401


def test_a_staff_token_ends_with_the_membership(api, token, dana):
    ApiToken.objects.update(kind="staff")
    assert api.get("whoami", token).status_code == 200
    Membership.objects.update(removed_at=timezone.now())
    assert api.get("whoami", token).status_code == 401


def test_when_a_key_was_used_is_kept_at_most_every_minute(api, key_of, eastgate):
    key = key_of(eastgate)
    api.get("whoami", key)
    ReplyKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    api.get("whoami", key)
    used = ReplyKey.objects.get().last_used_at
    assert used
    assert used > timezone.now() - timedelta(seconds=5)
    api.get("whoami", key)
    assert ReplyKey.objects.get().last_used_at == used


def test_a_token_is_no_secret_key_and_basic_is_no_bearer(api, key_of, eastgate, token, lead_at):
    assert api.get("whoami", None, X_Secret_Key=token).status_code == 401
    assert api.get("whoami", None, Authorization=f"Basic {key_of(eastgate)}").status_code == 401


def test_two_callers_with_the_same_idempotency_key_do_not_meet(api, token, plumbing, dental, eve):
    _, theirs = make_token(
        creator=Membership.objects.get(user=eve), actor=Actor("Eve", eve), name="x", scopes=["leads:write"]
    )
    once = {"headers": {"Idempotency_Key": "one"}}
    assert api.create_lead(token, **once).status_code == 201
    assert "Idempotency-Replayed" not in api.create_lead(theirs, **once)


def test_an_idempotency_key_is_forgotten_after_a_day(api, key_of, eastgate, lead_at):
    key, lead, once = key_of(eastgate), lead_at(eastgate), {"Idempotency_Key": "k" * 255}
    first = api.reply(key, lead, headers=once)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = api.reply(key, lead, "Another body", headers=once)
    assert second.status_code == 201
    assert second.json() != first.json()
    assert api.reply(key, lead, "Another body", headers=once)["Idempotency-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
def test_a_call_beside_one_that_still_runs_is_409(api, key_of, eastgate, lead_at):
    from api.idempotency import _digest
    from integrations.lead_reply_api.callers import find_reply_key_caller

    key, lead = key_of(eastgate), lead_at(eastgate)
    path = f"/v1/leads/{lead.public_id}/conversations/reply"
    digest = _digest(find_reply_key_caller(key, None).principal, "POST", path, "one")
    import psycopg

    with psycopg.connect(**plain_parameters()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
        answer = api.reply(key, lead, headers={"Idempotency_Key": "one"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.inFlight")
