"""Snooze, tags, and who holds a conversation: by the team, by programs, and when their time has come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Membership
from api.models import ApiToken
from api.services import make_token
from conversations.models import Conversation, ConversationChange, Message, Tag
from conversations.services import filing
from conversations.services import lifecycle as states
from conversations.services.erasing import erase_lead
from conversations.services.replies import Author, Reply, send_reply
from core.problems import Invalid, Refusal
from outbox.models import Job
from sources.services import update_source
from tests.support.due import run_jobs
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(plumbing, lead_at) -> Conversation:
    return Conversation.objects.get(lead=lead_at(plumbing))


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["conversations:write", "leads:read"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Desk", scopes=scopes)[1]


@pytest.fixture
def staff_key(dana, actor) -> str:
    scopes = ["conversations:write", "leads:read"]
    creator = Membership.objects.get(user=dana)
    return make_token(creator=creator, actor=actor, name="Dana", scopes=scopes, kind=ApiToken.Kind.STAFF)[1]


def changes() -> list[str]:
    return [change.kind for change in ConversationChange.objects.all()]


def come_due() -> None:
    """Let every snooze have its time come."""
    Conversation.objects.exclude(snoozed_until=None).update(snoozed_until=timezone.now() - timedelta(seconds=1))
    Job.objects.filter(category=filing.WAKE, status__in=Job.UNFINISHED).update(next_attempt_at=timezone.now())
    run_jobs()


def test_a_snoozed_conversation_comes_back_once_and_waits(thread, actor):
    Conversation.objects.update(waiting_since=None)
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    assert not Conversation.objects.awake().exists()
    assert Conversation.objects.snoozed().get() == thread
    run_jobs()
    assert Conversation.objects.snoozed().exists(), "its time has not come"
    come_due()
    thread.refresh_from_db()
    assert (thread.snoozed_until, thread.is_snoozed) == (None, False)
    assert thread.waiting_since is not None
    assert changes() == ["snoozed", "woken"]
    Job.objects.filter(category=filing.WAKE).update(status="scheduled", next_attempt_at=timezone.now())
    run_jobs()
    assert changes() == ["snoozed", "woken"], "a job that runs twice wakes once"


def test_a_message_of_the_lead_ends_a_snooze(thread, actor, lead_at, plumbing):
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    lead_at(plumbing, message="Are you there?")
    thread.refresh_from_db()
    assert thread.snoozed_until is None
    come_due()
    assert changes() == ["snoozed"]


def test_a_snooze_that_was_moved_or_ended_by_closing_wakes_nothing_early(thread, actor):
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=3), actor=actor)
    assert Job.objects.filter(category=filing.WAKE).count() == 1, "one job, at the later time"
    Job.objects.filter(category=filing.WAKE).update(next_attempt_at=timezone.now())
    run_jobs()
    assert Conversation.objects.snoozed().exists(), "the later time counts"
    states.close(conversation_id=thread.pk, actor=actor)
    thread.refresh_from_db()
    assert thread.snoozed_until is None
    with pytest.raises(Refusal) as refused:
        filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=1), actor=actor)
    assert refused.value.code == "conversation.closed"


@pytest.mark.parametrize("until", [timedelta(0), timedelta(hours=-1), timedelta(days=400)])
def test_a_snooze_ends_within_a_year(thread, actor, until):
    with pytest.raises(Invalid):
        filing.snooze(conversation_id=thread.pk, until=timezone.now() + until, actor=actor)


def test_tags_are_words_of_the_organization_as_first_written(thread, actor, plumbing, lead_at):
    filing.set_tags(conversation_id=thread.pk, names=["Urgent", "  roof   work "], actor=actor)
    other = Conversation.objects.get(lead=lead_at(plumbing, "tom@example.net"))
    filing.change_tags(conversation_id=other.pk, add="URGENT", actor=actor)
    assert Conversation.objects.get(pk=other.pk).tags == ["Urgent"]
    assert sorted(tag.name for tag in Tag.objects.all()) == ["Urgent", "roof work"]
    filing.change_tags(conversation_id=thread.pk, remove="urgent", actor=actor)
    assert Conversation.objects.get(pk=thread.pk).tags == ["roof work"]
    assert changes() == ["tagged", "tagged", "tagged", "untagged"]


@pytest.mark.parametrize("name", ["", "   ", "a,b", "x" * 41, "\x00"])
def test_a_tag_that_is_none_is_refused(thread, actor, name):
    with pytest.raises(Invalid):
        filing.set_tags(conversation_id=thread.pk, names=[name], actor=actor)
    assert not Tag.objects.exists()


def test_programs_wait_while_the_team_holds_a_conversation(thread, actor, api, key_of, plumbing, key, staff_key):
    filing.hand_over(conversation_id=thread.pk, to=Conversation.Holder.TEAM, actor=actor)
    theirs = key_of(plumbing)
    for caller in (theirs, key):
        refused = api.post(f"leads/{thread.lead.public_id}/conversations/reply", caller, {"content": "Hello"})
        assert (refused.status_code, refused.json()["code"]) == (409, "conversation.heldByTeam")
    send_reply(lead_id=thread.lead_id, reply=Reply("We come."), author=Author(Message.Author.STAFF, "Dana"))
    path = f"conversations/{thread.public_id}"
    itself = api.call("PATCH", path, key, {"handled_by": "external"})
    assert (itself.status_code, itself.json()["code"]) == (403, "conversation.handBackNeedsPerson")
    handed = api.call("PATCH", path, staff_key, {"handled_by": "external"})
    assert handed.json()["data"]["conversation"]["handled_by"] == "external"
    answer = api.post(f"leads/{thread.lead.public_id}/conversations/reply", theirs, {"content": "Hello"})
    assert answer.status_code == 201
    events = Event.objects.filter(type="conversation.handover")
    assert [event.payload["handled_by"] for event in events.order_by("id")] == ["team", "external"]
    assert changes() == ["taken_over", "handed_back"]


@pytest.mark.parametrize(("chosen", "holder"), [(True, "team"), (False, "external")])
def test_an_answer_of_the_team_takes_over_where_the_source_says_so(thread, actor, dana, plumbing, chosen, holder):
    update_source(source=plumbing, actor=actor, answers_take_over=chosen)
    author = Author(Message.Author.STAFF, "Dana", dana.pk)
    for words in ("We come.", "At four."):
        send_reply(lead_id=thread.lead_id, reply=Reply(words), author=author)
    assert Conversation.objects.get(pk=thread.pk).handled_by == holder
    assert Event.objects.filter(type="conversation.handover").count() == int(chosen)
    if chosen:
        assert ConversationChange.objects.get().by == dana


def test_a_failed_message_of_a_program_is_not_sent_again_while_the_team_holds_it(thread, actor, api, key_of, plumbing):
    theirs = key_of(plumbing)
    sent = api.post(f"leads/{thread.lead.public_id}/conversations/reply", theirs, {"content": "Hello"}).json()["data"]
    Message.objects.filter(author="api").update(status="failed")
    filing.hand_over(conversation_id=thread.pk, to=Conversation.Holder.TEAM, actor=actor)
    again = api.post(f"messages/{sent['message']['id']}/retry", theirs)
    assert again.json()["code"] == "conversation.heldByTeam"


def test_the_api_snoozes_tags_and_lists(thread, api, key):
    path = f"conversations/{thread.public_id}"
    until = (timezone.now() + timedelta(days=1)).isoformat()
    shown = api.call("PATCH", path, key, {"snoozed_until": until, "tags": ["Urgent"]}).json()["data"]["conversation"]
    assert shown["tags"] == ["Urgent"]
    assert shown["snoozed_until"]
    for query, count in (("state=snoozed", 1), ("state=open", 1), ("tag=Urgent", 1), ("tag=Roof", 0),
                         ("handled_by=team", 0), ("handled_by=external", 1)):  # fmt: skip
        listed = api.get(f"conversations?{query}", key).json()["data"]["conversations"]
        assert len(listed) == count, query
    assert api.call("PATCH", path, key, {"snoozed_until": None}).json()["data"]["conversation"]["snoozed_until"] is None
    assert api.call("PATCH", path, key, {"snoozed_until": "2020-01-01T00:00:00Z"}).status_code == 400
    assert api.call("PATCH", path, key, {"tags": ["a,b"]}).status_code == 400
    assert (
        api.call("PATCH", path, key, {"tags": ["Urgent", "Roof"], "snoozed_until": "2020-01-01T00:00:00Z"}).status_code
        == 400
    )
    assert Conversation.objects.get().tags == ["Urgent"], "all of it, or nothing"


def test_a_wake_that_comes_a_moment_early_waits_for_its_time(thread, actor):
    """The database's clock says when a job is due, ours whether the time has come."""
    filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(seconds=60), actor=actor)
    remaining = filing.wake_snoozed(thread.pk)
    assert remaining
    assert timedelta(seconds=50) < remaining <= timedelta(seconds=60)
    Job.objects.filter(category=filing.WAKE).update(next_attempt_at=timezone.now())
    run_jobs()
    assert Job.objects.get(category=filing.WAKE).status != "done"
    come_due()
    assert changes() == ["snoozed", "woken"]
    assert Conversation.objects.get().unread_at is not None


def test_snoozing_again_and_again_leaves_one_job(thread, actor):
    for hours in range(1, 20):
        filing.snooze(conversation_id=thread.pk, until=timezone.now() + timedelta(hours=hours), actor=actor)
        filing.unsnooze(conversation_id=thread.pk, actor=actor)
    assert Job.objects.filter(category=filing.WAKE).count() == 1


def test_a_closed_conversation_is_reopened_and_snoozed_in_one_call(thread, api, key, actor):
    states.close(conversation_id=thread.pk, actor=actor)
    until = (timezone.now() + timedelta(days=1)).isoformat()
    path = f"conversations/{thread.public_id}"
    assert api.call("PATCH", path, key, {"status": "open", "snoozed_until": until}).status_code == 200
    assert Conversation.objects.snoozed().exists()
    assert api.call("PATCH", path, key, {"status": "closed", "snoozed_until": until}).status_code == 400
    assert Conversation.objects.snoozed().exists()


def test_a_message_that_reopens_says_so_in_the_timeline(thread, actor, lead_at, plumbing, dana_client):
    states.close(conversation_id=thread.pk, actor=actor)
    lead_at(plumbing, message="One more thing")
    assert changes() == ["closed", "reopened"]
    assert "message reopened it" in dana_client.get(f"/inbox/{thread.public_id}/").text
    states.close(conversation_id=thread.pk, actor=actor)
    author = Author(Message.Author.STAFF, "Dana")
    send_reply(lead_id=thread.lead_id, reply=Reply("Yes?", thread.pk, reopens=True), author=author)
    assert changes()[2:] == ["closed", "reopened"]


def test_erasing_a_lead_takes_its_tags_away_and_the_words_of_them(thread, actor, lead_at, plumbing, dana_client):
    other = Conversation.objects.get(lead=lead_at(plumbing, "tom@example.net"))
    filing.set_tags(conversation_id=other.pk, names=["Urgent"], actor=actor)
    filing.set_tags(conversation_id=thread.pk, names=["Urgent", "ava@example.net"], actor=actor)
    filing.change_tags(conversation_id=thread.pk, remove="ava@example.net", actor=actor)
    filing.change_tags(conversation_id=thread.pk, add="ava@example.net", actor=actor)
    erase_lead(lead=thread.lead, actor=actor)
    assert [tag.name for tag in Tag.objects.all()] == ["Urgent"]
    assert not ConversationChange.objects.filter(value__contains="ava").exists()
    assert Conversation.objects.get(pk=thread.pk).tags == []
    assert Conversation.objects.get(pk=other.pk).tags == ["Urgent"]


def test_an_agent_by_mcp_waits_too(thread, actor, client, key, key_of, plumbing):
    key_of(plumbing)  # turns the card on
    filing.hand_over(conversation_id=thread.pk, to=Conversation.Holder.TEAM, actor=actor)
    arguments = {"lead_id": thread.lead.public_id, "content": "Hello"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "send_reply", "arguments": arguments}}
    answer = client.post(
        "/mcp",
        call,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"},
    ).json()
    assert answer["result"]["isError"] is True
    assert "conversation.heldByTeam" in str(answer["result"])
    assert not Message.objects.filter(direction="outbound").exists()
