"""Open pages follow what happens: versions change with everything that is shown, and only for who may see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from conversations.models import Conversation, Message
from conversations.services import filing, lifecycle
from conversations.services.replies import Author, Reply, send_reply
from inbox.models import Presence
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


@pytest.fixture
def thread(eastgate, lead_at) -> Conversation:
    return Conversation.objects.get(lead=lead_at(eastgate, phone="+1 415 555 0100"))


def versions(client, thread, **query) -> dict[str, object]:
    return client.get("/inbox/changes/", {"open": thread.public_id, **query}).json()


def test_nothing_new_is_nothing_new(dana_client, thread):
    dana_client.get(f"/inbox/{thread.public_id}/")
    first = versions(dana_client, thread)
    assert first == versions(dana_client, thread)
    page = dana_client.get(f"/inbox/{thread.public_id}/").text
    assert f'data-version="{first["list"]}"' in page
    assert f'data-version="{first["thread"]}"' in page


def test_whatever_changes_on_the_screen_changes_the_versions(dana_client, thread, actor, dana, lead_at, eastgate):
    dana_client.get(f"/inbox/{thread.public_id}/")
    act = {"conversation_id": thread.pk, "actor": actor}
    steps = {
        "a message of the lead": lambda: lead_at(eastgate, message="Are you there?"),
        "an answer": lambda: send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=STAFF),
        "its delivery": lambda: Message.objects.filter(direction="outbound").update(status="sent"),
        "a note": lambda: lifecycle.note(conversation=thread, content="Call back", author=STAFF),
        "an assignment": lambda: lifecycle.assign(to=dana, **act),
        "a tag": lambda: filing.change_tags(add="Urgent", **act),
        "a hand-over": lambda: filing.hand_over(to=Conversation.Holder.TEAM, **act),
        "a snooze": lambda: filing.snooze(until=timezone.now() + timedelta(hours=1), **act),
        "closing": lambda: lifecycle.close(**act),
    }
    before = versions(dana_client, thread, state="all")
    for what, happens in steps.items():
        happens()
        now = versions(dana_client, thread, state="all")
        assert now["thread"] != before["thread"], what
        if what not in ("its delivery", "a note"):
            assert now["list"] != before["list"], what
        before = now


def test_reading_and_a_new_lead_change_the_list(dana_client, thread, lead_at, eastgate):
    before = versions(dana_client, thread)
    dana_client.get(f"/inbox/{thread.public_id}/thread/")
    read = versions(dana_client, thread)
    assert read["list"] != before["list"]
    lead_at(eastgate, "tom@example.net", "My roof leaks.")
    assert versions(dana_client, thread)["list"] != read["list"]
    assert versions(dana_client, thread, state="closed")["list"] != read["list"]


def test_the_parts_show_what_is_new(dana_client, thread, lead_at, eastgate):
    lead_at(eastgate, message="Are you there?")
    part = dana_client.get(f"/inbox/{thread.public_id}/thread/").text
    assert "Are you there?" in part
    assert f'data-last="{Message.objects.latest("id").public_id}"' in part
    assert "<textarea" not in part
    rows = dana_client.get("/inbox/rows/", {"state": "waiting"}).text
    assert "Are you there?" in rows
    assert 'data-asks="state=waiting"' in rows
    assert dana_client.get("/inbox/rows/", {"cursor": "x"}).status_code == 400
    without_a_list = versions(dana_client, thread, cursor="x")
    assert without_a_list["list"] == ""
    assert without_a_list["thread"], "or the page would leave a conversation that may be read"


def test_who_else_is_here_and_who_is_typing(dana_client, northside, thread):
    ann = log_in(person("ann", northside, "agent"))
    assert versions(dana_client, thread)["others"] == []
    assert versions(ann, thread, typing="1")["others"] == ["Dana is here too."]
    assert versions(dana_client, thread)["others"] == ["Ann is typing."]
    Presence.objects.filter(user__name="Ann").update(typed_at=timezone.now() - timedelta(seconds=20))
    assert versions(dana_client, thread)["others"] == ["Ann is here too."]
    Presence.objects.filter(user__name="Ann").update(seen_at=timezone.now() - timedelta(minutes=1))
    assert versions(dana_client, thread)["others"] == []


def test_a_right_that_was_taken_away_ends_what_a_page_gets(northside, westgate, eastgate, thread):
    lim = person("lim", northside, "agent", eastgate)
    client = log_in(lim)
    assert versions(client, thread)["thread"]
    membership = Membership.objects.get(user=lim)
    membership.source_accesses.update(source=westgate)
    assert versions(client, thread)["thread"] == ""
    assert versions(client, thread)["others"] == []
    assert client.get(f"/inbox/{thread.public_id}/thread/").status_code == 404
    assert "Ava" not in client.get("/inbox/rows/").text
    membership.removed_at = timezone.now()
    membership.save()
    assert client.get("/inbox/changes/").status_code == 403


def test_a_stranger_learns_nothing_of_a_conversation(eve, dana_client, thread):
    versions(dana_client, thread)
    theirs = versions(log_in(eve), thread)
    assert (theirs["thread"], theirs["others"]) == ("", [])
    assert not Presence.objects.filter(user=eve).exists()


def test_asking_costs_the_same_however_many_rows_there_are(dana_client, thread, lead_at, eastgate):
    versions(dana_client, thread)

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            versions(dana_client, thread)
        return len(captured)

    few = asked()
    for number in range(20):
        lead_at(eastgate, f"lead{number}@example.net", f"Question {number}")
    assert asked() == few
    assert few <= 12


@pytest.mark.parametrize(
    "query", [{"tag": "\x00"}, {"source": "\x00"}, {"assignee": "dana"}, {"assignee": "none"}, {"assignee": "me"}, {"q": "\x00"},
              {"tag": "\U0001f468\u200d\U0001f527"}, {"waiting": "x"}, {"open": "conv_x"}, {"tag": "x" * 5_000}],
)  # fmt: skip
def test_the_version_is_that_of_the_list_that_the_page_shows(dana_client, thread, query):
    answer = dana_client.get("/inbox/changes/", query)
    assert answer.status_code == 200
    page = dana_client.get("/inbox/", query).text
    assert f'data-version="{answer.json()["list"]}"' in page
