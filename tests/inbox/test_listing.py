"""The inbox: what is searched and found, and who comes first."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM
from conversations.models import Conversation
from conversations.services import lifecycle as states
from leads.models import Lead

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("words", ["ava@example", "AVA", "0100", "415 555", "ava 415"])
def test_the_inbox_is_searched_by_name_email_and_phone(dana_client, lead_at, eastgate, words):
    ava = lead_at(eastgate, "ava@example.net", "My tap leaks.", first_name="Ava", phone="+1 415 555 0100")
    lead_at(eastgate, "tom@example.net", "My roof leaks.", first_name="Tom", phone="+1 212 555 9876")
    page = dana_client.get("/inbox/", {"q": words}).text
    assert "My tap leaks." in page
    assert "My roof leaks." not in page
    states.close(conversation_id=Conversation.objects.get(lead=ava).pk, actor=SYSTEM)
    assert "My tap leaks." in dana_client.get("/inbox/", {"q": words}).text, "closed ones too"
    assert "My tap leaks." not in dana_client.get("/inbox/", {"q": words, "state": "open"}).text


def test_the_inbox_is_searched_by_public_ids(dana_client, lead_at, eastgate):
    lead = lead_at(eastgate, "ava@example.net", "My tap leaks.")
    lead_at(eastgate, "tom@example.net", "My roof leaks.")
    thread = Conversation.objects.get(lead=lead)
    for named in (lead.public_id, thread.public_id):
        page = dana_client.get("/inbox/", {"q": f" {named} "}).text
        assert "My tap leaks." in page
        assert "My roof leaks." not in page


@pytest.mark.parametrize(
    "words", ["\x00", "x" * 5_000, "%", "_", "\\", "'\"<b>", "\u202e\U0001f527", "conv_", "lead_" + "0" * 26]
)
def test_a_search_for_anything_is_a_page(dana_client, lead_at, eastgate, words):
    lead_at(eastgate, "ava@example.net", "My tap leaks.")
    answer = dana_client.get("/inbox/", {"q": words})
    assert answer.status_code == 200
    assert "<b>" not in answer.text.split('id="q"')[1].split(">")[0]


def test_a_search_finds_nothing_of_others(dana_client, foreign, lead_at, eastgate):
    lead_at(eastgate, "ava@example.net", "My tap leaks.")
    theirs = Lead.objects.get(email="secret@example.net")
    for words_of_theirs in (theirs.public_id, theirs.email, Conversation.objects.filter(lead=theirs)[0].public_id):
        assert "No conversation found" in dana_client.get("/inbox/", {"q": words_of_theirs}).text


def test_who_waits_longest_comes_first_among_those_who_wait(dana_client, lead_at, eastgate, monkeypatch):
    for number, hours in enumerate((1, 3, 2)):
        lead = lead_at(eastgate, f"lead{number}@example.net", f"Question {number}", first_name=f"Lead{number}")
        since = timezone.now() - timedelta(hours=hours)
        Conversation.objects.filter(lead=lead).update(waiting_since=since)
    monkeypatch.setattr("inbox.listing.PAGE_SIZE", 2)
    first = dana_client.get("/inbox/", {"state": "waiting"}).text
    assert first.index("Question 1") < first.index("Question 2")
    assert "Question 0" not in first
    more = re.search(r'href="/inbox/(\?[^"]*cursor=[^"]*)"', first)
    assert more
    second = dana_client.get(f"/inbox/{html.unescape(more[1])}").text
    assert "Question 0" in second
    assert "Question 1" not in second
    assert not re.search(r'href="[^"]*cursor=', second)


def test_a_conversation_knows_its_page(lead_at, eastgate):
    conversation = Conversation.objects.get(lead=lead_at(eastgate))
    assert conversation.get_absolute_url() == reverse("inbox:conversation", args=[conversation.pk])
