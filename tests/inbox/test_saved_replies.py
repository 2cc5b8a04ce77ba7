"""Texts that the team writes again and again: their variables, and what is never sent."""

from __future__ import annotations

import pytest

from conversations.models import Conversation, Message
from inbox.models import SavedReply
from inbox.models.saved_replies import SAVED_MAX
from inbox.variables import filled, variables_in
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
TEXT = "Dear {{ first_name }},\nwe call {{phone}} from {{source}}. {{agent}}"


@pytest.fixture
def thread(eastgate, lead_at) -> Conversation:
    return Conversation.objects.get(lead=lead_at(eastgate, first_name="Ava"))


@pytest.fixture
def saved(northside) -> SavedReply:
    return SavedReply.objects.create(organization=northside, name="Callback", content=TEXT)


def save(client, name="Hours", content="We open at nine.", path="new/"):
    return client.post(f"/settings/saved-replies/{path}", {"name": name, "content": content})


def test_a_saved_reply_is_added_changed_and_deleted(dana_client, dana):
    assert save(dana_client).status_code == 302
    reply = SavedReply.objects.get()
    assert (reply.changed_by, reply.content) == (dana, "We open at nine.")
    save(dana_client, content="We open at ten.", path=f"{reply.public_id}/")
    assert "We open at ten." in dana_client.get("/settings/saved-replies/").text
    dana_client.post(f"/settings/saved-replies/{reply.public_id}/delete/")
    assert not SavedReply.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("", "x", "This field is required."),
        ("callback", "x", "with this name already"),
        ("x" * 61, "x", "at most 60 characters"),
        ("Other", "", "This field is required."),
        ("Other", "  ", "Write a text."),
        ("Other", "x" * 5_001, "at most 5000 characters"),
        ("Other", "Dear {{name}}", "There is no variable {{name}}."),
        ("Other", "\x00", "Null characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_kept(dana_client, saved, name, content, words):
    page = save(dana_client, name, content).text
    assert words in page
    assert SavedReply.objects.count() == 1


def test_there_is_an_end_to_saved_replies(dana_client, northside):
    rows = [SavedReply(organization=northside, name=f"Reply {n}", content="x") for n in range(SAVED_MAX)]
    SavedReply.objects.bulk_create(rows)
    assert "Delete one first" in save(dana_client).text


def test_variables_are_filled_for_each_lead_and_agent(dana_client, thread, saved):
    page = dana_client.get(f"/inbox/{thread.public_id}/").text
    assert "Dear Ava,\nwe call {{phone}} from Eastgate. Dana" in page
    thread.lead.phone = "+1 415 555 0100"
    thread.lead.save()
    assert "we call +1 415 555 0100 from Eastgate" in dana_client.get(f"/inbox/{thread.public_id}/").text


def test_an_open_variable_is_not_sent(dana_client, thread):
    page = dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "We call {{phone}} or {{ email }}."})
    assert "Fill in {{phone}}, {{email}} before you send it." in page.text
    assert not Message.objects.filter(direction="outbound").exists()
    dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "Our code is {{ x }}."})
    assert Message.objects.filter(direction="outbound").count() == 1, "braces that are no variable of ours are words"


def test_without_scripts_it_comes_into_the_answer_under_what_was_typed(dana_client, thread, saved):
    path = f"/inbox/{thread.public_id}/saved-replies/{saved.public_id}/"
    assert ">\nHello\nDear Ava," in dana_client.post(path, {"content": "Hello"}).text
    assert ">\nDear Ava," in dana_client.post(path, {"content": ""}).text


def test_who_does_not_answer_has_none(northside, thread, saved, eve):
    viewer = log_in(person("vic", northside, "viewer"))
    assert "Callback" not in viewer.get(f"/inbox/{thread.public_id}/").text
    assert viewer.get("/settings/saved-replies/").status_code == 403
    assert save(viewer).status_code == 403
    stranger = log_in(eve)
    assert "Callback" not in stranger.get("/settings/saved-replies/").text
    assert save(stranger, path=f"{saved.public_id}/").status_code == 404
    assert stranger.post(f"/settings/saved-replies/{saved.public_id}/delete/").status_code == 404


@pytest.mark.parametrize(
    "text", ["{{", "}}", "{{}}", "{{{{first_name}}}}", "{{ first_name", "\u202e{{first_name}}", "{" * 4_000]
)
def test_odd_braces_break_nothing(text):
    variables_in(text)
    assert isinstance(filled(text, {"first_name": "{{email}}", "email": "x"}), str)


def test_what_a_lead_is_called_is_not_filled_again():
    assert filled("Dear {{first_name}}", {"first_name": "{{email}}", "email": "a@b.example"}) == "Dear {{email}}"
