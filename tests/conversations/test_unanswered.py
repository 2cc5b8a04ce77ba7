"""Nobody answered: one alarm for each wait, within the opening hours, and none if the answer came first."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core import mail as mailbox
from django.db import connection
from django.utils import timezone

from accounts.models import Letter
from conversations.models import Conversation, ConversationChange, Message, UnansweredRule
from conversations.services import filing, unanswered
from conversations.services.events import publish_conversation_event
from conversations.services.replies import Author, Reply, send_reply
from leads.consent import opt_out
from leads.models import Lead, OptOut
from sources import timing
from sources.services import archive_source
from tests.support.due import run_jobs
from tests.support.people import person
from webhooks.models import Event

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
RULE = {
    "is_on": True,
    "after_minutes": 30,
    "in_opening_hours": False,
    "tells_team": False,
    "hands_over": False,
    "text": "",
}


@pytest.fixture
def thread(eastgate, lead_at) -> Conversation:
    return Conversation.objects.get(lead=lead_at(eastgate))


def wait(thread, **ago) -> None:
    """Let the lead have waited for so long, under a rule that has been on for longer."""
    UnansweredRule.objects.filter(is_on=True).update(on_since=timezone.now() - timedelta(days=365))
    Conversation.objects.filter(pk=thread.pk).update(waiting_since=timezone.now() - timedelta(**ago))


def told() -> int:
    return Event.objects.filter(type="lead.unanswered").count()


def test_an_alarm_goes_off_once_for_each_wait(thread, plumbing, eastgate, actor, lead_at):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    wait(thread, minutes=29)
    assert unanswered.raise_alarms() == 0
    wait(thread, minutes=31)
    assert unanswered.raise_alarms() == 1
    assert unanswered.raise_alarms() == 0
    assert told() == 1
    assert Conversation.objects.get().is_overdue
    assert ConversationChange.objects.get().kind == "unanswered"
    send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=STAFF)
    assert not Conversation.objects.get().is_overdue
    lead_at(eastgate, message="And when?")
    assert unanswered.raise_alarms() == 0
    wait(thread, minutes=31)
    Conversation.objects.update(unanswered_at=timezone.now() - timedelta(hours=1))
    assert unanswered.raise_alarms() == 1, "another wait, another alarm"


def test_none_where_the_answer_came_first_or_nobody_waits(thread, plumbing, actor):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    wait(thread, minutes=31)
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    assert unanswered.raise_alarms() == 0, "somebody put it off"
    filing.unsnooze(conversation_id=thread.pk, actor=actor)
    send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=STAFF)
    assert unanswered.raise_alarms() == 0
    wait(thread, minutes=31)
    Conversation.objects.update(closed_at=timezone.now())
    assert unanswered.raise_alarms() == 0


def test_none_where_the_answer_came_between_the_look_and_the_lock(thread, plumbing, eastgate, actor, lead_at):
    """Somebody answers, and the lead writes again: that wait has only begun."""
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    rule = UnansweredRule.objects.get()
    before = timezone.now() - timedelta(minutes=30)
    wait(thread, minutes=31)
    send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=STAFF)
    assert not unanswered._alarm(thread.pk, before, rule)
    lead_at(eastgate, message="And when?")
    assert not unanswered._alarm(thread.pk, before, rule)
    wait(thread, minutes=31)
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    assert not unanswered._alarm(thread.pk, before, rule)
    filing.unsnooze(conversation_id=thread.pk, actor=actor)
    assert unanswered._alarm(thread.pk, before, rule)


def test_an_alarm_that_fails_keeps_no_other_back(thread, plumbing, eastgate, actor, lead_at, monkeypatch):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    other = Conversation.objects.get(lead=lead_at(eastgate, "tom@example.net"))
    wait(thread, minutes=60)
    wait(other, minutes=40)

    def broken(event_type, conversation):
        if conversation.pk == thread.pk:
            raise RuntimeError("of this one")
        publish_conversation_event(event_type, conversation)

    with monkeypatch.context() as patch:
        patch.setattr("conversations.services.unanswered.publish_conversation_event", broken)
        assert unanswered.raise_alarms() == 1
    assert [row.is_overdue for row in Conversation.objects.order_by("id")] == [False, True]
    assert unanswered.raise_alarms() == 1, "tried again"


def test_who_waited_before_the_rule_was_on_is_left_alone(thread, plumbing, eastgate, actor, lead_at):
    """Turning it on writes to nobody who has waited for weeks; changing it later does not begin anew."""
    wait(thread, days=20)
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "text": "Soon!"})
    assert unanswered.raise_alarms() == 0
    on_since = UnansweredRule.objects.get().on_since
    assert on_since
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "after_minutes": 5})
    assert UnansweredRule.objects.get().on_since == on_since
    UnansweredRule.objects.update(on_since=timezone.now() - timedelta(minutes=10))
    fresh = Conversation.objects.get(lead=lead_at(eastgate, "tom@example.net"))
    Conversation.objects.filter(pk=fresh.pk).update(waiting_since=timezone.now() - timedelta(minutes=6))
    assert unanswered.raise_alarms() == 1
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "is_on": False})
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    assert UnansweredRule.objects.get(on_since__gt=on_since)


def test_a_test_lead_waits_for_nobody(thread, plumbing, actor):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    wait(thread, minutes=31)
    Lead.objects.update(is_test=True)
    assert unanswered.raise_alarms() == 0
    assert told() == 0


def test_an_automatic_message_is_no_answer(thread, plumbing, actor):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    author = Author(Message.Author.AUTOMATION, "Thanks")
    send_reply(lead_id=thread.lead_id, reply=Reply("Thank you!"), author=author)
    assert Conversation.objects.get().waiting_since is not None
    wait(thread, minutes=31)
    assert unanswered.raise_alarms() == 1


def test_only_minutes_within_the_opening_hours_count(thread, plumbing, eastgate, actor):
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "in_opening_hours": True})
    now = timezone.now()
    minute = now.hour * 60 + now.minute
    closed_now = [(0, minute - 5)] if minute > 65 else [(minute + 5, 1440)]
    timing.set_hours(source=plumbing, week=[closed_now] * 7, country="", closed_on=[], actor=actor)
    wait(thread, minutes=4)
    assert unanswered.raise_alarms() == 0
    timing.set_hours(source=plumbing, week=[[(0, 1440)]] * 7, country="", closed_on=[], actor=actor)
    wait(thread, minutes=31)
    timing.set_hours(
        source=eastgate,
        week=[[(0, 1440)]] * 7,
        country="",
        closed_on=[now.date(), (now - timedelta(days=1)).date(), (now + timedelta(days=1)).date()],
        actor=actor,
    )
    assert unanswered.raise_alarms() == 0, "the location is closed today"
    timing.remove_hours(source=eastgate, actor=actor)
    assert unanswered.raise_alarms() == 1


def test_a_location_has_its_own_rule_or_that_of_its_business(thread, plumbing, eastgate, westgate, lead_at, actor):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    timing.set_rule(source=eastgate, actor=actor, **{**RULE, "is_on": False})
    west = Conversation.objects.get(lead=lead_at(westgate, "tom@example.net"))
    wait(thread, minutes=60)
    wait(west, minutes=60)
    assert unanswered.raise_alarms() == 1
    assert Conversation.objects.get(pk=west.pk).is_overdue
    assert not Conversation.objects.get(pk=thread.pk).is_overdue
    timing.set_rule(source=eastgate, actor=actor, **RULE)
    archive_source(source=eastgate, actor=actor)
    assert unanswered.raise_alarms() == 0


def test_the_team_is_told_the_lead_gets_a_text_and_programs_stop(
    thread, plumbing, actor, northside, eastgate, westgate
):
    person("east", northside, "agent", eastgate)
    person("west", northside, "agent", westgate)
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "tells_team": True, "hands_over": True, "text": "Soon!"})
    wait(thread, minutes=31)
    assert unanswered.raise_alarms() == 1
    conversation = Conversation.objects.get()
    assert conversation.is_held_by_team
    assert conversation.waiting_since is not None
    text = Message.objects.get(direction="outbound")
    assert (text.author, text.content) == ("automation", "Soon!")
    run_jobs()
    letters = {letter.to[0]: letter for letter in mailbox.outbox}
    assert letters.keys() == {"dana@example.com", "east@example.com"}
    assert "is waiting for an answer from Eastgate" in letters["dana@example.com"].subject
    assert thread.public_id in letters["dana@example.com"].body


def test_whom_it_is_assigned_to_is_told_alone_and_nobody_if_the_answer_came(thread, plumbing, actor, northside):
    ann = person("ann", northside, "agent")
    Conversation.objects.update(assignee=ann)
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "tells_team": True})
    wait(thread, minutes=31)
    unanswered.raise_alarms()
    assert [letter.user for letter in Letter.objects.all()] == [ann]
    send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=STAFF)
    run_jobs()
    assert mailbox.outbox == []


def test_who_wants_no_messages_gets_none_and_the_alarm_goes_off(thread, plumbing, actor):
    opt_out(lead=thread.lead, channel="email", reason=OptOut.Reason.UNSUBSCRIBE)
    timing.set_rule(source=plumbing, actor=actor, **{**RULE, "text": "Soon!"})
    wait(thread, minutes=31)
    assert unanswered.raise_alarms() == 1
    assert not Message.objects.filter(direction="outbound").exists()
    assert told() == 1


@pytest.mark.django_db(transaction=True)
def test_three_workers_raise_one_alarm(thread, plumbing, actor):
    timing.set_rule(source=plumbing, actor=actor, **RULE)
    wait(thread, minutes=31)
    counts = []

    def work() -> None:
        counts.append(unanswered.raise_alarms())
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == 1
    assert told() == 1
