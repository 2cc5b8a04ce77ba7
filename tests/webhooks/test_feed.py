"""GET /v1/events: by number, without gaps or repeats, even while transactions commit out of order."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from accounts.models import Membership
from api.services import make_token
from core.ids import uuid7
from tests.support.people import person
from webhooks.models import Event, FeedEntry, PendingFeedEntry
from webhooks.sequencer import number_events

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader(northside, dana, actor) -> str:
    creator = Membership.objects.get(user=dana)
    return make_token(creator=creator, actor=actor, name="Feed", scopes=["webhooks:read"])[1]


@pytest.fixture
def feed(api, reader):
    """Follow the feed from a cursor to its end; return the events and the last cursor."""

    def follow(cursor="", limit=2, key=reader):
        events = []
        while True:
            answer = api.get(f"events?limit={limit}" + (f"&cursor={cursor}" if cursor else ""), key)
            assert answer.status_code == 200, answer.content
            events += answer.json()["data"]["events"]
            cursor = answer.json()["meta"]["next_cursor"]
            if not answer.json()["meta"]["has_more"]:
                return events, cursor

    return follow


def test_events_come_oldest_first_with_gapless_positions_and_a_cursor_to_go_on(feed, lead_at, eastgate, plumbing):
    for number in range(5):
        lead_at((eastgate, plumbing)[number % 2], f"ava{number}@example.net")
    number_events()
    events, cursor = feed()
    assert [event["feed_position"] for event in events] == [1, 2, 3, 4, 5]
    assert [event["data"]["lead"]["email"] for event in events] == [f"ava{number}@example.net" for number in range(5)]
    assert feed(cursor) == ([], cursor)
    lead_at(eastgate, "late@example.net")
    number_events()
    assert [event["feed_position"] for event in feed(cursor)[0]] == [6]


def test_an_event_that_commits_late_comes_later_and_is_not_missed(feed, lead_at, eastgate, northside):
    wrote, may_commit = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            lead_at(eastgate, "early@example.net")  # its id and its clock are the first
            wrote.set()
            may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert wrote.wait(10)
    lead_at(eastgate, "late@example.net")
    number_events()
    events, cursor = feed()
    assert [event["data"]["lead"]["email"] for event in events] == ["late@example.net"]
    may_commit.set()
    thread.join()
    number_events()
    [event] = feed(cursor)[0]
    assert (event["feed_position"], event["data"]["lead"]["email"]) == (2, "early@example.net")


def test_many_writers_and_sequencers_leave_no_gap_and_repeat_nothing(northside, harbor, eastgate):
    stopping = threading.Event()

    def write(organization) -> None:
        for _ in range(40):
            with transaction.atomic():
                event = Event.objects.create(
                    type="lead.created", organization_id=organization.pk, source_id=eastgate.pk
                )
                PendingFeedEntry.objects.create(
                    event_id=event.pk, organization_id=organization.pk, source_id=eastgate.pk
                )
        connection.close()

    def number() -> None:
        while not stopping.is_set():
            number_events()
        connection.close()

    sequencers = [threading.Thread(target=number) for _ in range(3)]
    writers = [threading.Thread(target=write, args=[one]) for one in (northside, harbor) for _ in range(3)]
    for thread in (*sequencers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stopping.set()
    for thread in sequencers:
        thread.join()
    number_events()
    for organization in (northside, harbor):
        positions = FeedEntry.objects.filter(organization_id=organization.pk).values_list("position", flat=True)
        assert sorted(positions) == list(range(1, 121))


def test_nobody_reads_anothers_feed(feed, lead_at, eastgate, dental):
    lead_at(dental, "secret@example.net")
    lead_at(eastgate)
    number_events()
    events, _ = feed()
    assert [event["feed_position"] for event in events] == [1]
    assert "secret@example.net" not in str(events)


def test_a_limited_creators_token_reads_only_their_sources(api, actor, northside, eastgate, westgate, lead_at, feed):
    creator = Membership.objects.get(user=person("max", northside, "manager", eastgate))
    key = make_token(creator=creator, actor=actor, name="Feed", scopes=["webhooks:read"])[1]
    for number, source in enumerate((westgate, eastgate, westgate, eastgate)):
        lead_at(source, f"ava{number}@example.net")
    number_events()
    assert [event["feed_position"] for event in feed(key=key, limit=1)[0]] == [2, 4]


def test_the_feed_needs_its_scope(api, token, key_of, eastgate):
    answer = api.get("events", token)
    assert (answer.status_code, answer.json()["code"]) == (403, "token.scopeMissing")


def test_a_sources_key_does_not_read_the_feed(api, key_of, eastgate):
    answer = api.get("events", key_of(eastgate))
    assert (answer.status_code, answer.json()["code"]) == (403, "token.scopeMissing")


@pytest.mark.parametrize("cursor", ["x", "bm8", "WyJmZWVkIiwgLTFd", "a" * 300])
def test_a_bad_cursor_is_400(api, reader, cursor):
    assert api.get(f"events?cursor={cursor}", reader).status_code == 400


def test_who_stayed_away_longer_than_events_are_kept_is_told(api, reader, feed, lead_at, eastgate):
    lead_at(eastgate)
    number_events()
    _, cursor = feed()
    for number in range(3):
        lead_at(eastgate, f"ava{number}@example.net")
    number_events()
    FeedEntry.objects.filter(position__lte=2).delete()
    answer = api.get(f"events?cursor={cursor}", reader)
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor.expired")
    assert [event["feed_position"] for event in feed()[0]] == [3, 4]
    FeedEntry.objects.all().delete()
    assert api.get(f"events?cursor={cursor}", reader).status_code == 410


def test_an_event_is_numbered_once(northside, eastgate):
    event = uuid7()
    PendingFeedEntry.objects.create(event_id=event, organization_id=northside.pk, source_id=eastgate.pk)
    assert number_events() == 1
    assert number_events() == 0
