"""Every cell of the table: the state of the card x the key that is shown -> status and code of a reply."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from core.secrets import make_key
from integrations import services as cards
from integrations.lead_reply_api.models import ReplyKey

pytestmark = pytest.mark.django_db

OWN_STATES = ["not set up", "off", "on", "disconnected"]
STATES = [*OWN_STATES, *(f"inheriting, parent {state}" for state in OWN_STATES)]
KEYS = [
    "none",
    "malformed",
    "wrong checksum",
    "unknown",
    "own",
    "parent's",
    "another organization's",
    "regenerated away",
    "in overlap",
    "overlap ended",
]
OK, UNAUTHORIZED, OFF, MISSING = (201, None), (401, None), (403, "integration.disabled"), (404, "lead.notFound")


def expected(state: str, key: str) -> tuple[int, str | None]:
    if key in ("none", "malformed", "wrong checksum", "unknown", "regenerated away", "overlap ended"):
        return UNAUTHORIZED
    if key == "another organization's":
        return MISSING
    if state.startswith("inheriting"):
        parent = state.removeprefix("inheriting, parent ")
        if key == "parent's":
            # The location's own card is on wherever that is possible: a parent without a key turns it off.
            return OK if parent in ("off", "on") else UNAUTHORIZED
        return UNAUTHORIZED  # its own keys are dormant
    if key == "parent's":
        return MISSING  # the parent's own key does not reach a location that does not inherit
    if state in ("not set up", "disconnected"):
        return UNAUTHORIZED
    return OK if state == "on" else OFF


class Table:
    """Bring a location's card and a key into the wanted state."""

    def __init__(self, actor, location) -> None:
        self.actor, self.location = actor, location

    def own_keys(self) -> dict[str, str]:
        """Set the location's card up and make every kind of own key; `end_overlap` ends the one in overlap."""
        card, overlap = self.location.leadreplyapi, timedelta(hours=1)
        away = cards.set_up(card=card, actor=self.actor).secrets["Secret key"]
        older = cards.regenerate(card=card, actor=self.actor).secrets["Secret key"]
        current = cards.regenerate(card=card, actor=self.actor, overlap=overlap).secrets["Secret key"]
        return {"regenerated away": away, "in overlap": older, "overlap ended": older, "own": current}

    def end_overlap(self) -> None:
        """Let the time run out. The row stays, as it does until somebody cleans up: only its time refuses it."""
        ended = timezone.now() - timedelta(seconds=1)
        rows = ReplyKey.objects.filter(card=self.location.leadreplyapi, ends_at__isnull=False)
        assert rows.update(ends_at=ended) == 1

    def bring(self, card, state: str) -> None:
        """From set up and off into the state."""
        card.refresh_from_db()
        if state == "on":
            cards.switch(card=card, on=True, actor=self.actor)
        if state == "disconnected":
            cards.switch(card=card, on=True, actor=self.actor)
            cards.disconnect(card=card, actor=self.actor)


@pytest.fixture
def case(actor, plumbing, eastgate, dental, eve, lead_at) -> Callable[[str, str], tuple[str | None, object]]:
    from accounts.actors import Actor

    def make(state: str, key: str) -> tuple[str | None, object]:
        lead = lead_at(eastgate)
        table = Table(actor, eastgate)
        own, parent = eastgate.leadreplyapi, plumbing.leadreplyapi
        shown: dict[str, str | None] = {
            "none": None,
            "malformed": "lwr_short",
            "wrong checksum": make_key("lwr_")[:-1] + "!",
            "unknown": make_key("lwr_"),
            "own": make_key("lwr_"),
            "in overlap": make_key("lwr_"),
        }
        stranger = Actor("Eve", eve)
        shown["another organization's"] = cards.set_up(card=dental.leadreplyapi, actor=stranger).secrets["Secret key"]
        cards.switch(card=dental.leadreplyapi, on=True, actor=stranger)
        parent_state = state.removeprefix("inheriting, parent ") if state.startswith("inheriting") else "on"
        if state != "not set up":
            shown |= table.own_keys()
            if key == "overlap ended":
                table.end_overlap()
        else:
            shown |= {"regenerated away": make_key("lwr_"), "overlap ended": make_key("lwr_")}
        if parent_state != "not set up":
            shown["parent's"] = cards.set_up(card=parent, actor=actor).secrets["Secret key"]
        else:
            shown["parent's"] = make_key("lwr_")
        if state.startswith("inheriting"):
            cards.set_inherits(card=own, inherits=True, actor=actor)
            own.refresh_from_db()
            if own.is_set_up:
                cards.switch(card=own, on=True, actor=actor)
            table.bring(parent, parent_state)
        else:
            table.bring(parent, "on")
            table.bring(own, state)
        return shown[key], lead

    return make


@pytest.mark.parametrize(("state", "key"), list(itertools.product(STATES, KEYS)))
def test_the_cell(api, case, state, key):
    shown, lead = case(state, key)
    answer = api.reply(shown, lead)
    status, code = expected(state, key)
    assert answer.status_code == status, answer.content
    if status == 401:
        assert answer.content == b""
        assert answer["WWW-Authenticate"] == "Bearer"
    if code:
        assert answer.json()["code"] == code


@pytest.mark.parametrize("parent_state", ["off", "on"])
def test_an_inheriting_location_that_is_off_answers_integration_disabled(
    api, actor, plumbing, eastgate, lead_at, parent_state, key_of
):
    key = key_of(plumbing, on=parent_state == "on")
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    answer = api.reply(key, lead_at(eastgate))
    assert (answer.status_code, answer.json()["code"]) == OFF


def test_authorization_and_x_secret_key_that_differ_are_401(api, key_of, eastgate, lead_at):
    lead, key = lead_at(eastgate), key_of(eastgate)
    assert api.reply(key, lead, headers={"X_Secret_Key": make_key("lwr_")}).status_code == 401
    assert api.reply(key, lead, headers={"X_Secret_Key": key}).status_code == 201


def test_x_secret_key_alone_opens_the_source(api, key_of, eastgate, lead_at):
    assert api.reply(None, lead_at(eastgate), headers={"X_Secret_Key": key_of(eastgate)}).status_code == 201


def test_a_wrong_checksum_is_refused_without_a_query(api, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert api.get("whoami", make_key("lwr_")[:-1] + "!").status_code == 401
