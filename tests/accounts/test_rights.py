"""The table "Who may do what" of product.md, cell by cell, and how many statements the hot requests make."""

from __future__ import annotations

import pytest

from accounts.models import Membership
from api.models import ApiToken
from api.services import make_token
from conversations.models import Conversation, Message
from integrations import services as cards
from integrations.lead_reply_api.models import LeadReplyApi
from outbox.models import Lane
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db

OWNER, MANAGER, AGENT, VIEWER = "owner", "manager", "agent", "viewer"
ROLES = [OWNER, MANAGER, AGENT, VIEWER]


def actions(source, lead) -> dict[str, tuple[str, dict, set[str]]]:
    """path, what is posted, and which roles may."""
    conversation = Conversation.objects.get(lead=lead).public_id
    card = f"/sources/{source.public_id}/messaging/integrations/lead-reply-api"
    channel = f"/sources/{source.public_id}/messaging/channels/{source.connections.get(kind='email').pk}/"
    return {
        "cut a channel": (channel, {}, {OWNER, MANAGER}),
        "archive a source": (f"/sources/{source.public_id}/archive/", {}, {OWNER, MANAGER}),
        "block an address": (f"/leads/{lead.public_id}/consent/", {}, {OWNER, MANAGER, AGENT}),
        "invite a member": ("/settings/members/", {"email": "n@example.com", "role": "agent"}, {OWNER}),
        "add a source": ("/sources/new/", {"name": "New", "time_zone": "UTC"}, {OWNER, MANAGER}),
        "set a card up": (f"{card}/set-up/", {}, {OWNER, MANAGER}),
        "make a token": (
            "/settings/tokens/",
            {"name": "x", "kind": "app", "scopes": ["leads:write"]},
            {OWNER, MANAGER},
        ),
        "answer": (f"/inbox/{conversation}/reply/", {"content": "Hello"}, {OWNER, MANAGER, AGENT}),
        "close": (f"/inbox/{conversation}/close/", {}, {OWNER, MANAGER, AGENT}),
    }


ACTIONS = [
    "invite a member", "add a source", "archive a source", "set a card up", "cut a channel", "make a token", "answer",
    "close", "block an address",
]  # fmt: skip
SHOWS_A_SECRET = {"set a card up", "make a token"}  # answered by a page, not by a redirect


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_the_cell(northside, plumbing, lead_at, role, action):
    path, data, allowed = actions(plumbing, lead_at(plumbing))[action]
    answer = log_in(person("pat", northside, role)).post(path, data)
    done = 200 if action in SHOWS_A_SECRET else 302
    assert answer.status_code == (done if role in allowed else 403)
    if action in SHOWS_A_SECRET and role in allowed:
        assert "lwr_" in answer.content.decode() or "lwa_" in answer.content.decode()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["import", "erase", "merge"])
def test_the_same_by_a_members_own_token(api, northside, plumbing, lead_at, actor, settings, tmp_path, role, action):
    """Many leads at once, and what nobody can undo, are for managers. Two leads that are one are corrected by agents."""
    settings.MEDIA_ROOT = tmp_path
    lead, other = lead_at(plumbing), lead_at(plumbing, "ava.old@example.net")
    creator = Membership.objects.get(user=person("pat", northside, role))
    key = make_token(creator=creator, actor=actor, name="Own", scopes=["leads:write"], kind=ApiToken.Kind.STAFF)[1]
    path, body, allowed = {
        "import": (f"leads/import?source_id={plumbing.public_id}", [{"email": "x@example.net"}], {OWNER, MANAGER}),
        "erase": (f"leads/{lead.public_id}/erase", None, {OWNER, MANAGER}),
        "merge": (f"leads/{other.public_id}/merge", {"into": lead.public_id}, {OWNER, MANAGER, AGENT}),
    }[action]
    answer = api.post(path, key, body)
    assert answer.status_code == ((202 if action == "import" else 200) if role in allowed else 403), answer.content


@pytest.mark.parametrize("role", ROLES)
def test_the_page_of_imports_is_for_managers(northside, plumbing, role):
    client = log_in(person("pat", northside, role))
    assert client.get("/leads/import/").status_code == (200 if role in (OWNER, MANAGER) else 403)
    assert ("/leads/import/" in client.get("/leads/").content.decode()) == (role in (OWNER, MANAGER))


@pytest.mark.parametrize("role", ROLES)
def test_everybody_reads_conversations(northside, plumbing, lead_at, role):
    lead_at(plumbing)
    path = f"/inbox/{Conversation.objects.get().public_id}/"
    assert "My tap leaks." in log_in(person("pat", northside, role)).get(path).content.decode()


def test_looking_marks_read_only_for_those_who_may_answer(northside, plumbing, lead_at):
    lead_at(plumbing)
    path = f"/inbox/{Conversation.objects.get().public_id}/"
    log_in(person("vic", northside, VIEWER)).get(path)
    assert Conversation.objects.get().is_unread
    log_in(person("ann", northside, AGENT)).get(path)
    assert not Conversation.objects.get().is_unread


def test_a_business_includes_its_locations(northside, plumbing, eastgate, lead_at):
    lead_at(eastgate)
    page = log_in(person("pat", northside, AGENT, plumbing)).get("/inbox/").content.decode()
    assert "My tap leaks." in page


def test_a_removed_member_sees_nothing_any_more(northside, plumbing, lead_at, dana, actor):
    from accounts.models import Membership
    from accounts.services.members import remove

    lead_at(plumbing)
    pat = person("pat", northside, AGENT)
    remove(membership=Membership.objects.get(user=pat), actor=actor)
    assert "My tap leaks." not in log_in(pat).get("/inbox/").content.decode()
    assert log_in(pat).get(f"/inbox/{Conversation.objects.get().public_id}/").status_code == 404


def test_a_manager_sees_only_their_own_tokens(northside, plumbing, dana, token):
    page = log_in(person("max", northside, MANAGER)).get("/settings/tokens/").content.decode()
    assert ApiToken.objects.get().last_four not in page


# --- how many statements ---


def test_a_reply_makes_a_fixed_number_of_statements(api, key_of, plumbing, lead_at, django_assert_num_queries):
    lead, key = lead_at(plumbing), key_of(plumbing)
    api.reply(key, lead)
    # key, its limit, BEGIN's savepoint pair of the test, lead with conversation, the write, the call's line
    with django_assert_num_queries(7):
        assert api.reply(key, lead).status_code == 201


def test_a_reply_with_an_idempotency_key_makes_a_fixed_number_of_statements(
    api, key_of, plumbing, lead_at, django_assert_num_queries
):
    lead, key = lead_at(plumbing), key_of(plumbing)
    api.reply(key, lead)
    with django_assert_num_queries(8):  # and whether it is the first call with its key; its answer goes with the line
        assert api.reply(key, lead, headers={"Idempotency_Key": "k"}).status_code == 201


@pytest.mark.parametrize("path", ["/inbox/", "/leads/", "/sources/", "/activity/"])
def test_a_list_makes_as_many_statements_for_30_rows_as_for_one(
    dana_client, plumbing, lead_at, path, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    lead_at(plumbing, "first@example.net")
    with CaptureQueriesContext(
        connection,
    ) as few:
        dana_client.get(path)
    for number in range(29):
        lead_at(plumbing, f"lead{number}@example.net", message=f"Hello {number}")
    with CaptureQueriesContext(connection) as many:
        dana_client.get(path)
    assert len(many) == len(few)


def test_the_integrations_tab_makes_a_fixed_number_of_statements(dana_client, plumbing, key_of, webhook_at):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    key_of(plumbing)
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    with CaptureQueriesContext(connection) as statements:
        dana_client.get(f"/sources/{plumbing.public_id}/messaging/integrations/")
    assert len(statements) <= 45


def test_the_new_header_key_can_be_sent_before_the_overlap_ends(plumbing, webhook_at, actor):
    from datetime import timedelta

    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    cards.regenerate(card=plumbing.restwebhook, actor=actor, overlap=timedelta(hours=1))
    cards.switch_header(card=plumbing.restwebhook, actor=actor)
    old, new = plumbing.restwebhook.secrets.exclude(ends_at=None).get(), plumbing.restwebhook.secrets.get(ends_at=None)
    assert old.header_ended_at is not None
    assert new.header_ended_at is None


def test_a_card_that_goes_off_holds_its_lane(plumbing, webhook_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    assert Lane.objects.get(pk=plumbing.restwebhook.lane_id).held_at is None
    cards.switch(card=plumbing.restwebhook, on=False, actor=actor)
    assert Lane.objects.get(pk=plumbing.restwebhook.lane_id).held_at is not None
    assert LeadReplyApi.objects.count() == 1
    assert Message.objects.count() == 0
