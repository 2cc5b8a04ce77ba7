"""Answer one lead after the other: what comes next, and the small buttons of a conversation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.services import filing
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def threads(eastgate, lead_at) -> list[Conversation]:
    """Question 0 is the oldest, and waits longest."""
    for number in range(3):
        lead_at(eastgate, f"lead{number}@example.net", f"Question {number}", phone="+1 415 555 0100")
    now = timezone.now()
    for number, thread in enumerate(Conversation.objects.order_by("id")):
        at = now - timedelta(hours=9 - number)
        Conversation.objects.filter(pk=thread.pk).update(last_message_at=at, waiting_since=at)
    return list(Conversation.objects.order_by("id"))


def answer(client, thread, query="", **more):
    path = f"/inbox/{thread.public_id}/reply/{query}"
    return client.post(path, {"content": "We come.", **more})


def test_send_and_next_goes_down_the_list_as_it_is_filtered(dana_client, threads):
    after = answer(dana_client, threads[0], "?state=waiting", next="1")
    assert after.url == f"/inbox/{threads[1].public_id}/?state=waiting"
    after = answer(dana_client, threads[2], "?state=waiting", next="1")
    assert after.url == f"/inbox/{threads[1].public_id}/?state=waiting", "at the end it goes on at the top"
    after = answer(dana_client, threads[1], "?state=waiting", next="1")
    assert after.url == "/inbox/?state=waiting"
    assert "That was the last conversation" in dana_client.get(after.url).text
    assert Message.objects.filter(direction="outbound").count() == 3


def test_the_newest_first_goes_to_the_older_one(dana_client, threads):
    assert answer(dana_client, threads[2], next="1").url == f"/inbox/{threads[1].public_id}/"
    assert answer(dana_client, threads[1], next="1").url == f"/inbox/{threads[0].public_id}/"


def test_in_place_the_pane_goes_on_and_the_list_stays(dana_client, threads):
    path = f"/inbox/{threads[0].public_id}/reply/?state=waiting"
    after = dana_client.post(path, {"content": "We come.", "next": "1"}, headers={"HX-Request": "true"})
    assert f"/inbox/{threads[1].public_id}/?state=waiting" in after.headers["HX-Location"]
    assert '"target": "#pane"' in after.headers["HX-Location"]


def test_a_refused_answer_stays_where_it_is(dana_client, threads):
    page = dana_client.post(f"/inbox/{threads[0].public_id}/reply/", {"content": "", "next": "1"})
    assert page.status_code == 200
    assert "Write an answer, or choose a file." in page.text


def test_the_buttons_of_a_conversation(dana_client, threads):
    url = f"/inbox/{threads[0].public_id}/"
    hx = {"HX-Request": "true", "HX-Target": "thread"}
    assert "Snoozed until" in dana_client.post(f"{url}snooze/", {"until": "tomorrow"}, headers=hx).text
    assert "Snoozed until" not in dana_client.post(f"{url}snooze/", {"end": "1"}, headers=hx).text
    at = timezone.localtime(timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert "Snoozed until" in dana_client.post(f"{url}snooze/", {"at": at}, headers=hx).text
    for bad in ({}, {"at": "2020-01-01T00:00"}, {"at": "never"}, {"until": "x"}):
        assert 'role="alert"' in dana_client.post(f"{url}snooze/", bad, headers=hx).text, bad
    assert "Urgent" in dana_client.post(f"{url}tags/", {"tag": "Urgent"}, headers=hx).text
    assert 'role="alert"' in dana_client.post(f"{url}tags/", {"tag": "a,b"}, headers=hx).text
    dana_client.post(f"{url}tags/", {"remove": "Urgent"}, headers=hx)
    assert Conversation.objects.get(pk=threads[0].pk).tags == []
    assert "The team answers" in dana_client.post(f"{url}hand-over/", {"take": "1"}, headers=hx).text
    assert "The team answers" not in dana_client.post(f"{url}hand-over/", {"back": "1"}, headers=hx).text
    page = dana_client.get(url).text
    for words in ("snoozed it until", "took it back from snoozing", "added the tag", "took it over for the team"):
        assert words in page


def test_enter_beside_a_time_snoozes_until_then(dana_client, threads, actor):
    filing.snooze(conversation_id=threads[0].pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    menu = dana_client.get(f"/inbox/{threads[0].public_id}/").text.split('id="snooze-menu"')[1].split("</details>")[0]
    own = menu.split('name="at"')[0].rsplit("<form", 1)[1] + menu.split('name="at"')[1]
    assert 'name="end"' not in own
    assert own.count("<button") == 1


@pytest.mark.parametrize("button", ["snooze", "tags", "hand-over"])
def test_a_viewer_presses_none_of_them(northside, threads, button, eve):
    url = f"/inbox/{threads[0].public_id}/{button}/"
    assert log_in(person("vic", northside, "viewer")).post(url, {"until": "1h", "tag": "x"}).status_code == 403
    assert log_in(eve).post(url, {"until": "1h", "tag": "x"}).status_code == 404
    assert Conversation.objects.get(pk=threads[0].pk).tags == []


def test_a_snooze_that_ended_says_so_without_a_name(dana_client, threads, actor):
    filing.snooze(conversation_id=threads[0].pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    Conversation.objects.update(snoozed_until=timezone.now())
    filing.wake_snoozed(threads[0].pk)
    assert "The snooze ended" in dana_client.get(f"/inbox/{threads[0].public_id}/").text


def test_the_row_of_the_list_comes_with_each_answer(dana_client, threads):
    hx = {"HX-Request": "true", "HX-Target": "thread"}
    page = dana_client.post(f"/inbox/{threads[0].public_id}/close/", {"close": "1"}, headers=hx).text
    assert f'data-row="row-{threads[0].public_id}"' in page
    hx["HX-Target"] = "pane"
    page = dana_client.get(f"/inbox/{threads[1].public_id}/?state=waiting", headers=hx).text
    assert 'id="inbox-list"' not in page
    assert "<title>" in page
    hx["HX-History-Restore-Request"] = "true"
    assert 'id="inbox-list"' in dana_client.get(f"/inbox/{threads[1].public_id}/", headers=hx).text
