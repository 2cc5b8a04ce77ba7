"""Attacks that once worked, or nearly did."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.actors import Actor
from accounts.models import Membership
from api.services import make_token
from tests.support.people import person


@pytest.mark.django_db
def test_a_form_post_without_a_csrf_token_is_refused(dana, plumbing):
    client = Client(enforce_csrf_checks=True)
    client.force_login(dana, backend="django.contrib.auth.backends.ModelBackend")
    path = f"/sources/{plumbing.public_id}/messaging/integrations/lead-reply-api/set-up/"
    assert client.post(path).status_code == 403
    assert not plumbing.leadreplyapi.keys.exists()


@pytest.mark.django_db
def test_head_needs_the_scope_that_get_needs(api, token, plumbing, lead_at):
    path = f"leads/{lead_at(plumbing).public_id}/conversations"
    assert [api.call(method, path, token).status_code for method in ("GET", "HEAD")] == [403, 403]


@pytest.mark.django_db
def test_a_token_of_a_limited_creator_reaches_only_their_sources(api, northside, eastgate, westgate):
    maya = person("maya", northside, "manager", eastgate)
    membership = Membership.objects.get(user=maya)
    _, key = make_token(creator=membership, actor=Actor("Maya", maya), name="x", scopes=["leads:write"])
    assert api.create_lead(key, source_id=westgate.public_id).status_code == 404
    assert api.create_lead(key, source_id=eastgate.public_id).status_code == 201


@pytest.mark.django_db
def test_a_lead_cannot_grow_without_end(api, token, plumbing):
    for number in range(3):
        data = {f"key{number}-{index}": "x" for index in range(100)}
        answer = api.create_lead(token, request_data=data, request_title=str(number))
    assert (answer.status_code, answer.json()["code"]) == (422, "lead.tooLarge")
