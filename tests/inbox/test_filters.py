"""The filters of the inbox: each alone, two together, and what nobody can make of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from conversations.models import Conversation
from conversations.services import filing, lifecycle
from core.ids import encode
from inbox import reading
from inbox.models import SavedView
from sources.services import archive_source
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def threads(plumbing, eastgate, lead_at) -> dict[str, Conversation]:
    """Three conversations: at the business, and two at a location."""
    places = {"Tap": plumbing, "Roof": eastgate, "Boiler": eastgate}
    for title, source in places.items():
        lead_at(source, f"{title.lower()}@example.net", title)
    return {title: Conversation.objects.get(title=title) for title in places}


def shown(client, **query) -> set[str]:
    page = client.get("/inbox/", query).text
    return {title for title in ("Tap", "Roof", "Boiler") if f">{title}</span>" in page.replace("\n", "")}


def test_each_filter_shows_what_it_says(dana_client, dana, northside, actor, threads, eastgate):
    ann = person("ann", northside, "agent")
    lifecycle.assign(conversation_id=threads["Tap"].pk, to=ann, actor=actor)
    lifecycle.assign(conversation_id=threads["Roof"].pk, to=dana, actor=actor)
    filing.set_tags(conversation_id=threads["Roof"].pk, names=["Urgent"], actor=actor)
    filing.hand_over(conversation_id=threads["Boiler"].pk, to=Conversation.Holder.TEAM, actor=actor)
    filing.snooze(conversation_id=threads["Tap"].pk, until=timezone.now() + timedelta(days=1), actor=actor)
    Conversation.objects.filter(title="Roof").update(waiting_since=timezone.now() - timedelta(hours=5))
    for query, titles in (
        ({}, {"Roof", "Boiler"}),
        ({"state": "all"}, {"Tap", "Roof", "Boiler"}),
        ({"state": "snoozed"}, {"Tap"}),
        ({"source": eastgate.public_id}, {"Roof", "Boiler"}),
        ({"assignee": "me"}, {"Roof"}),
        ({"mine": "1"}, {"Roof"}),
        ({"assignee": "none"}, {"Boiler"}),
        ({"assignee": encode("usr", ann.pk), "state": "all"}, {"Tap"}),
        ({"tag": "Urgent"}, {"Roof"}),
        ({"handled": "team"}, {"Boiler"}),
        ({"handled": "external"}, {"Roof"}),
        ({"channel": "website", "state": "all"}, {"Tap", "Roof", "Boiler"}),
        ({"channel": "sms"}, set()),
        ({"waiting": "4"}, {"Roof"}),
        ({"meaning": "interested"}, set()),
        ({"unread": "1"}, {"Roof", "Boiler"}),
        ({"tag": "Urgent", "assignee": "none"}, set()),
        ({"source": eastgate.public_id, "handled": "team"}, {"Boiler"}),
    ):
        assert shown(dana_client, **query) == titles, query


@pytest.mark.parametrize(
    "query",
    [
        {"state": "x"},
        {"source": "src_0"},
        {"source": "x" * 500},
        {"assignee": "dana"},
        {"tag": "\x00"},
        {"waiting": "-1"},
        {"channel": "'"},
        {"cursor": "x"},
        {"q": "\x00", "state": "waiting"},
        {"handled": "x" * 5000},
    ],
)
def test_what_is_no_filter_is_left_out(dana_client, threads, query):
    answer = dana_client.get("/inbox/", query, follow=True)
    assert answer.status_code == 200
    assert "Roof" in answer.text


def test_a_filter_shows_nothing_of_another_organization(dana_client, foreign, eve, threads):
    page = dana_client.get("/inbox/", {"state": "all"}).text
    assert foreign["source_id"] not in page
    assert encode("usr", eve.pk) not in page
    for query in ({"source": foreign["source_id"]}, {"assignee": encode("usr", eve.pk)}):
        page = dana_client.get("/inbox/", {"state": "all", **query}).text
        assert "secret" not in page.lower()
        assert "Harbor" not in page
        assert "Eve" not in page
        assert shown(dana_client, state="all", **query) == set()


def test_the_list_asks_as_much_for_30_as_for_one(dana_client, lead_at, plumbing, threads, dana, northside):
    for number in range(3):
        SavedView.objects.create(organization=northside, owner=dana, name=f"View {number}", query="state=all")

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            dana_client.get("/inbox/", {"state": "all"})
        return len(captured)

    dana_client.get("/inbox/")
    few = asked()
    for number in range(30):
        lead_at(plumbing, f"lead{number}@example.net", f"Question {number}")
    SavedView.objects.create(organization=northside, owner=dana, name="One more", query="state=closed")
    assert asked() == few
    assert few <= 16


def test_a_conversation_is_unread_for_each_member_until_they_read_it(
    dana_client, northside, threads, lead_at, eastgate
):
    ann = log_in(person("ann", northside, "agent"))
    lead_at(eastgate, "roof@example.net", "Still leaking")
    roof = f"/inbox/{threads['Roof'].public_id}/"
    assert shown(ann, unread="1") == {"Roof"}, "what came before Ann did is not unread"
    assert shown(dana_client, unread="1") == {"Tap", "Roof", "Boiler"}
    dana_client.get(roof)
    assert shown(dana_client, unread="1") == {"Tap", "Boiler"}
    assert shown(ann, unread="1") == {"Roof"}
    dana_client.post(f"{roof}unread/")
    assert shown(dana_client, unread="1") == {"Tap", "Roof", "Boiler"}
    dana_client.get(roof)
    lead_at(eastgate, "roof@example.net", "Hello?")
    assert shown(dana_client, unread="1") == {"Tap", "Roof", "Boiler"}, "the lead wrote again"


def test_a_viewer_reads_for_themselves_and_not_for_the_team(northside, threads):
    vic = log_in(person("vic", northside, "viewer"))
    vic.get(f"/inbox/{threads['Roof'].public_id}/")
    assert Conversation.objects.get(title="Roof").unread_at is not None


def test_a_choice_that_there_is_no_more_shows_nothing_and_not_everything(
    dana_client, northside, threads, eastgate, actor
):
    ann = person("ann", northside, "agent")
    lifecycle.assign(conversation_id=threads["Tap"].pk, to=ann, actor=actor)
    mine = {"assignee": encode("usr", ann.pk)}
    assert shown(dana_client, **mine) == {"Tap"}
    ann.memberships.update(removed_at=timezone.now())
    page = dana_client.get("/inbox/", mine).text
    assert "No longer available" in page
    assert shown(dana_client, **mine) == set()
    assert shown(dana_client, tag="Gone") == set()
    archive_source(source=eastgate, actor=actor)
    assert shown(dana_client, source=eastgate.public_id) == {"Roof", "Boiler"}, "an archived source is still found"


def test_a_limited_member_learns_only_of_people_near_their_sources(northside, eastgate, westgate):
    person("east", northside, "agent", eastgate)
    person("near", northside, "agent", westgate)
    person("all", northside, "manager")
    page = log_in(person("lim", northside, "agent", westgate)).get("/inbox/").text
    assert ">Near<" in page
    assert ">All<" in page
    assert ">East<" not in page


def test_snoozed_ones_wait_for_nobody(dana_client, threads, actor):
    filing.snooze(conversation_id=threads["Tap"].pk, until=timezone.now() + timedelta(days=1), actor=actor)
    assert shown(dana_client, state="waiting") == {"Roof", "Boiler"}
    assert 'waiting for an answer">2<' in dana_client.get("/leads/").text


def test_an_unread_mark_is_in_the_row_and_in_the_filter_alike(northside, threads):
    ann = log_in(person("ann", northside, "agent"))  # joined after all of it came
    assert shown(ann, unread="1") == set()
    answer = ann.post(f"/inbox/{threads['Roof'].public_id}/unread/")
    assert answer.headers["Location"] == "/inbox/", "its own page would mark it as read"
    assert shown(ann, unread="1") == {"Roof"}
    assert ann.get("/inbox/").text.count("Unread.") == 1


def test_what_comes_while_a_page_is_read_stays_unread(dana_client, dana, threads, lead_at, eastgate):
    mine = Membership.objects.get(user=dana)
    loaded = Conversation.objects.get(title="Roof")
    lead_at(eastgate, "roof@example.net", "Hello?")
    reading.mark_read(mine, loaded)
    assert "Roof" in shown(dana_client, unread="1")


def test_a_rare_tag_is_found_by_its_index(threads):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")  # of a table this small
        plan = Conversation.objects.all().tagged("Urgent").order_by().explain()
    assert "conversation_tags" in plan
