"""Single keys in the inbox and in a conversation: what each does, where they do nothing, and that they can be off."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def inbox(page: Page) -> Page:
    page.goto("/inbox/?state=all")
    return page


def test_a_conversation_is_chosen_opened_and_left_by_keys(inbox):
    rows = inbox.locator("a.row-link")
    inbox.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    inbox.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    inbox.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()
    inbox.keyboard.press("Enter")
    expect(inbox.get_by_label("Your answer")).to_be_visible()
    inbox.keyboard.press("u")
    expect(inbox).to_have_url(re.compile(r"/inbox/\?state=all$"))


def test_a_lead_is_found_by_phone_with_one_key_and_the_digits(inbox):
    inbox.keyboard.press("/")
    expect(inbox.get_by_role("searchbox")).to_be_focused()
    inbox.keyboard.type("jk?")  # keys are letters here
    expect(inbox.get_by_role("searchbox")).to_have_value("jk?")
    inbox.get_by_role("searchbox").fill("noah")
    inbox.keyboard.press("Enter")
    expect(inbox.get_by_role("link", name=re.compile("Noah Kowalski")).first).to_be_visible()


def test_a_conversation_is_answered_and_closed_by_keys(inbox):
    inbox.goto("/inbox/?q=noah")
    inbox.keyboard.press("j")
    inbox.keyboard.press("Enter")
    inbox.wait_for_url(re.compile("/inbox/conv_"))
    inbox.keyboard.press("r")
    answer = inbox.get_by_label("Your answer")
    expect(answer).to_be_focused()
    inbox.keyboard.type("We are here, really.")
    expect(answer).to_have_value("We are here, really.")
    inbox.keyboard.press("Escape")
    was_open = inbox.get_by_role("button", name="Close", exact=True).count() == 1
    inbox.keyboard.press("e")
    expect(inbox.get_by_role("button", name="Reopen" if was_open else "Close", exact=True)).to_be_visible()
    inbox.keyboard.press("e")
    expect(inbox.get_by_role("button", name="Close" if was_open else "Reopen", exact=True)).to_be_visible()
    expect(inbox.get_by_label("Your answer")).to_have_value("We are here, really.")
    inbox.get_by_label("Your answer").fill("")


def test_the_list_of_keys_is_one_key_away_and_turns_them_off(inbox):
    inbox.keyboard.press("?")
    dialog = inbox.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    assert Axe().run(inbox).violations_count == 0
    dialog.get_by_label("Use single keys in this browser").uncheck()
    dialog.get_by_role("button", name="Close").click()
    inbox.reload()
    inbox.keyboard.press("/")
    expect(inbox.get_by_role("searchbox")).not_to_be_focused()
    inbox.get_by_role("button", name="Keyboard shortcuts").click()
    expect(dialog.get_by_label("Use single keys in this browser")).not_to_be_checked()
    dialog.get_by_label("Use single keys in this browser").check()
