"""Many conversations at once: what is done, what is refused, and what undo puts back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.actors import SYSTEM
from conversations.models import Conversation
from conversations.services import filing, lifecycle
from core.ids import encode
from inbox.models import BulkChange, ReadMark
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def threads(eastgate, lead_at) -> list[Conversation]:
    for number in range(3):
        lead_at(eastgate, f"lead{number}@example.net", f"Question {number}")
    return list(Conversation.objects.order_by("id"))


def ids(threads) -> list[str]:
    return [thread.public_id for thread in threads]


def change(client, threads, action, **values):
    answer = client.post("/inbox/bulk/", {"conversation": ids(threads), "action": action, **values}, follow=True)
    assert answer.status_code == 200
    return answer


def undo(client):
    return client.post(f"/inbox/bulk/{BulkChange.objects.latest('created_at').public_id}/undo/", follow=True)


def test_all_are_assigned_and_each_goes_back_to_who_had_it(dana_client, dana, northside, threads, actor):
    ann = person("ann", northside, "agent")
    lifecycle.assign(conversation_id=threads[0].pk, to=dana, actor=actor)
    lifecycle.assign(conversation_id=threads[1].pk, to=ann, actor=actor)
    page = change(dana_client, threads, "assign", assignee=encode("usr", ann.pk)).text
    assert "2 conversations assigned." in re.sub(r"\s+", " ", page)
    assert set(Conversation.objects.values_list("assignee", flat=True)) == {ann.pk}
    undo(dana_client)
    people = [thread.assignee for thread in Conversation.objects.order_by("id")]
    assert people == [dana, ann, None]


def test_undo_leaves_what_somebody_changed_since(dana_client, dana, northside, threads, actor):
    ann = person("ann", northside, "agent")
    change(dana_client, threads, "assign", assignee="me")
    lifecycle.assign(conversation_id=threads[0].pk, to=ann, actor=actor)
    undo(dana_client)
    assert [thread.assignee for thread in Conversation.objects.order_by("id")] == [ann, None, None]
    change(dana_client, threads, "close")
    lifecycle.reopen(conversation_id=threads[0].pk, actor=actor)
    filing.snooze(conversation_id=threads[0].pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    undo(dana_client)
    assert Conversation.objects.open().count() == 3
    assert Conversation.objects.snoozed().count() == 1


def test_closing_is_undone_with_who_waits_and_the_snooze(dana_client, threads, actor):
    until = timezone.now() + timedelta(days=1)
    filing.snooze(conversation_id=threads[0].pk, until=until, actor=actor)
    waiting = {thread.pk: thread.waiting_since for thread in threads}
    change(dana_client, threads, "close")
    assert not Conversation.objects.open().exists()
    undo(dana_client)
    assert Conversation.objects.open().count() == 3
    assert Conversation.objects.get(pk=threads[0].pk).snoozed_until == until
    again = {thread.pk: thread.waiting_since for thread in Conversation.objects.all()}
    for key, since in waiting.items():
        assert abs(again[key] - since) < timedelta(seconds=1)


def test_snoozing_tagging_and_reading_are_undone(dana_client, threads, actor, dana):
    filing.change_tags(conversation_id=threads[0].pk, add="Roof", actor=actor)
    change(dana_client, threads, "snooze", until="tomorrow")
    assert Conversation.objects.snoozed().count() == 3
    undo(dana_client)
    assert not Conversation.objects.snoozed().exists()
    change(dana_client, threads, "tag", tag="roof")
    assert [thread.tags for thread in Conversation.objects.all()] == [["Roof"]] * 3
    undo(dana_client)
    assert [thread.tags for thread in Conversation.objects.order_by("id")] == [["Roof"], [], []]
    change(dana_client, threads, "read")
    assert "unread" not in dana_client.get("/inbox/").text.split("data-key-rows")[1].lower()
    undo(dana_client)
    assert dana_client.get("/inbox/").text.split("data-key-rows")[1].count("Unread.") == 3


def test_an_undo_works_once_for_ten_minutes_and_for_its_person(dana_client, northside, threads):
    change(dana_client, threads, "close")
    done = BulkChange.objects.get()
    path = f"/inbox/bulk/{done.public_id}/undo/"
    assert log_in(person("ann", northside, "agent")).post(path).status_code == 404
    BulkChange.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    dana_client.post(path)
    assert not Conversation.objects.open().exists()
    BulkChange.objects.update(created_at=timezone.now())
    dana_client.post(path)
    assert Conversation.objects.open().count() == 3
    lifecycle.close(conversation_id=threads[0].pk, actor=SYSTEM)
    dana_client.post(path)
    assert Conversation.objects.open().count() == 2


def test_nobody_changes_what_they_may_not(northside, harbor, eve, threads, westgate, lead_at):
    assert log_in(person("vic", northside, "viewer")).post("/inbox/bulk/", {"action": "close"}).status_code == 403
    change(log_in(eve), threads, "close")
    limited = person("lim", northside, "agent", westgate)
    lead_at(westgate, "west@example.net", "West")
    west = Conversation.objects.get(title="West")
    page = change(log_in(limited), [*threads, west], "close").text
    assert "1 conversation closed." in re.sub(r"\s+", " ", page)
    assert Conversation.objects.open().count() == 3
    assert not Conversation.objects.filter(pk=west.pk).open().exists()


def test_somebody_who_may_not_answer_there_gets_nothing_assigned(dana_client, northside, threads, westgate, lead_at):
    limited = person("lim", northside, "agent", westgate)
    lead_at(westgate, "west@example.net", "West")
    west = Conversation.objects.get(title="West")
    page = change(dana_client, [*threads, west], "assign", assignee=encode("usr", limited.pk)).text
    assert "3 could not be changed." in re.sub(r"\s+", " ", page)
    assert list(Conversation.objects.filter(assignee=limited)) == [west]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "close"}, "Select conversations first."),
        ({"action": "assign"}, "Choose a person."),
        ({"action": "assign", "assignee": "usr_x"}, "not one of the available choices"),
        ({"action": "snooze"}, "Choose until when."),
        ({"action": "tag", "tag": ""}, "Write a tag."),
        ({"action": "tag", "tag": "x" * 41}, "at most 40 characters"),
        ({"action": "burn"}, "not one of the available choices"),
        ({"action": "tag", "tag": "\x00"}, "Null characters"),
    ],
)
def test_what_is_missing_is_said_in_the_list(dana_client, threads, values, words):
    some = [] if values == {"action": "close"} else ids(threads)
    answer = dana_client.post("/inbox/bulk/", {"conversation": some, **values}, headers={"HX-Request": "true"})
    assert words in answer.text
    assert not BulkChange.objects.exists()


def test_a_hundred_at_once_and_no_more(dana_client, eastgate, lead_at):
    for number in range(101):
        lead_at(eastgate, f"lead{number}@example.net", f"Question {number}")
    all_of_them = list(Conversation.objects.all())
    assert "at most 100" in change(dana_client, all_of_them, "read").text
    assert not ReadMark.objects.exists()
    change(dana_client, all_of_them[:100], "read")
    assert ReadMark.objects.count() == 100


def test_what_came_after_the_list_was_drawn_is_not_marked_as_read(dana_client, threads, lead_at, eastgate):
    drawn = timezone.now().isoformat()
    lead_at(eastgate, "lead0@example.net", "URGENT")
    change(dana_client, threads, "read", seen_at=drawn)
    page = dana_client.get("/inbox/").text
    assert page.count("Unread.") == 1
    assert Conversation.objects.get(pk=threads[0].pk).unread_at is not None


def test_undo_of_reading_leaves_what_was_read_before(dana_client, threads):
    dana_client.get(f"/inbox/{threads[0].public_id}/")
    unread = list(Conversation.objects.order_by("id").values_list("unread_at", flat=True))
    change(dana_client, threads, "read")
    undo(dana_client)
    assert dana_client.get("/inbox/").text.count("Unread.") == 2
    assert list(Conversation.objects.order_by("id").values_list("unread_at", flat=True)) == unread


def test_undo_leaves_what_was_closed_again_since(dana_client, threads):
    change(dana_client, threads, "close")
    lifecycle.reopen(conversation_id=threads[0].pk, actor=SYSTEM)
    lifecycle.close(conversation_id=threads[0].pk, actor=SYSTEM)
    undo(dana_client)
    assert not Conversation.objects.get(pk=threads[0].pk).is_open
    assert Conversation.objects.open().count() == 2


def test_what_somebody_closed_meanwhile_is_theirs(dana_client, threads, monkeypatch):
    """A colleague closes the second one while the first one is being changed."""
    close = lifecycle.close

    def close_two(*, conversation_id, actor):
        if conversation_id == threads[0].pk:
            close(conversation_id=threads[1].pk, actor=SYSTEM)
        return close(conversation_id=conversation_id, actor=actor)

    monkeypatch.setattr(lifecycle, "close", close_two)
    change(dana_client, threads, "close")
    undo(dana_client)
    assert [row.is_open for row in Conversation.objects.order_by("id")] == [True, False, True]


def test_a_change_that_breaks_half_way_is_told_and_undone(dana_client, threads, monkeypatch):
    close = lifecycle.close

    def broken(*, conversation_id, actor):
        if conversation_id == threads[1].pk:
            raise OperationalError("canceling statement due to lock timeout")
        return close(conversation_id=conversation_id, actor=actor)

    monkeypatch.setattr(lifecycle, "close", broken)
    page = re.sub(r"\s+", " ", change(dana_client, threads, "close").text)
    assert "2 conversations closed. 1 could not be changed." in page
    undo(dana_client)
    assert Conversation.objects.open().count() == 3


def test_a_change_from_a_later_page_of_the_list_is_answered(dana_client, threads):
    path = "/inbox/bulk/?cursor=zzz"
    data = {"conversation": ids(threads), "action": "close"}
    answer = dana_client.post(path, data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "Undo" in answer.text


def test_enter_in_the_field_of_a_tag_adds_the_tag(dana_client, threads):
    """Enter presses the first button of a form (HTML, 4.10.21.2)."""
    form = dana_client.get("/inbox/").text.split('id="bulk"')[1].split("</form>")[0]
    assert re.findall(r'name="action" value="(\w+)"', form)[0] == "tag"
