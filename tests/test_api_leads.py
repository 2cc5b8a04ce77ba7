"""POST /v1/leads, and what the Lead Reply API card's options make of lists."""

from __future__ import annotations

import pytest

from conversations.models import Message
from integrations.services import cards
from leads.models import Lead

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


def test_the_first_message_lists_the_data_else_it_is_the_title(api, token, plumbing):
    api.create_lead(token, message_data={"Room": "Kitchen"}, request_data={"Budget": 100})
    api.create_lead(token, email="b@example.net")
    assert list(Message.objects.order_by("id").values_list("content", flat=True)) == [
        "Room: Kitchen\nBudget: 100",
        "Leaking tap",
    ]


def test_auto_reply_is_queued_to_the_lead(api, token, plumbing):
    api.create_lead(token, notifications="auto-reply")
    thanks = Message.objects.get(direction="outbound")
    assert (thanks.author, thanks.status) == ("automation", "queued")


def test_a_notification_whose_channel_is_not_set_up_is_refused_and_nothing_written(api, token, plumbing):
    answer = api.create_lead(token, notifications=["sms"])
    assert (answer.status_code, answer.json()["code"]) == (422, "notification.unavailable")
    assert not Lead.objects.exists()


def test_a_source_is_named_by_id_or_external_id(api, token, plumbing, eastgate):
    assert api.create_lead(token).status_code == 400
    assert api.create_lead(token, source_id=eastgate.public_id).status_code == 201
    assert api.create_lead(token, business_id="north").status_code == 201
    assert api.create_lead(token, source_id="src_nobody").status_code == 404
    assert api.create_lead(token, headers={"X_On_Behalf_Of": "north"}).status_code == 201
    same = api.create_lead(token, business_id="north", source_id=plumbing.public_id)
    other = api.create_lead(token, business_id="north", headers={"X_On_Behalf_Of": eastgate.public_id})
    assert (same.status_code, other.status_code) == (201, 400)


def test_the_team_is_mailed(api, token, plumbing, dana, mailoutbox):
    from conversations.tasks import HANDLERS
    from integrations import jobs
    from integrations.models import Job

    api.create_lead(token, notifications=["email"])
    Job.objects.update(next_attempt_at=LONG_AGO)  # inside a test's transaction the clock stands still
    jobs.run_due(HANDLERS)
    [mail] = mailoutbox
    assert mail.to == ["dana@example.com"]
    assert mail.subject == "New lead at Northside Plumbing: Ava"


# --- options of the Lead Reply API card ---


def test_a_lead_that_is_not_ready_is_not_listed_and_not_repliable(api, key_of, plumbing, actor, lead_at):
    key = key_of(plumbing)
    cards.configure(card=plumbing.leadreplyapi, actor=actor, needs_contact=True)
    lead = lead_at(plumbing, "")
    assert api.get("leads", key).json()["data"]["leads"] == []
    assert api.get(f"leads/{lead.public_id}", key).json()["data"]["lead"]["is_ready"] is False
    answer = api.reply(key, lead)
    assert (answer.status_code, answer.json()["code"]) == (409, "lead.notReady")


def test_with_create_only_for_new_leads_a_returning_lead_is_not_listed(api, token, key_of, plumbing, actor):
    key = key_of(plumbing)
    cards.configure(card=plumbing.leadreplyapi, actor=actor, only_new_leads=True)
    api.create_lead(token)
    assert len(api.get("leads", key).json()["data"]["leads"]) == 1
    api.create_lead(token, request_title="Second")
    assert api.get("leads", key).json()["data"]["leads"] == []
