"""The filters of the inbox: each alone, two together, and what nobody can make of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Conversation
from conversations.services import filing, lifecycle
from core.ids import encode
from inbox.models import SavedView
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
    for query in ({"state": "all"}, {"source": foreign["source_id"]}, {"assignee": encode("usr", eve.pk)}):
        page = dana_client.get("/inbox/", query).text
        assert "secret" not in page.lower()
        assert foreign["source_id"] not in page
        assert encode("usr", eve.pk) not in page


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
