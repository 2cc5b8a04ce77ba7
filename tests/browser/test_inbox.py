"""The inbox as the team works in it all day: beside the list, by keys, and with few clicks."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(page: Page) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/inbox/?state=waiting")
    return page


def open_row(desk: Page, number: int) -> str:
    """Open the conversation of a row, and return the lead's name."""
    row = desk.locator(".inbox-row").nth(number)
    name = row.locator(".who").inner_text().splitlines()[-1].strip()
    row.locator("a.row-link").click()
    expect(desk.locator(".desk-conversation aside h2").first).to_have_text(name)
    return name


def test_the_list_stays_while_one_conversation_after_the_other_is_read(desk):
    desk.evaluate("document.getElementById('inbox-list').marked = true")
    open_row(desk, 0)
    first = desk.url
    expect(desk).to_have_url(re.compile(r"/inbox/conv_\w+/\?state=waiting"))
    open_row(desk, 1)
    assert desk.evaluate("document.getElementById('inbox-list').marked"), "the list was not drawn again"
    expect(desk.locator(".inbox-row a[aria-current]")).to_have_count(1)
    expect(desk.locator(".inbox-row").nth(1).locator("a[aria-current]")).to_have_count(1)
    desk.go_back()
    expect(desk).to_have_url(first)
    expect(desk.locator(".inbox-row").nth(0).locator("a[aria-current]")).to_have_count(1)
    desk.reload()
    expect(desk.locator("#inbox-list")).to_be_visible()
    expect(desk.get_by_role("log")).to_be_visible()


def test_a_lead_is_answered_and_the_next_one_shown_by_one_key(desk):
    open_row(desk, 0)
    second = desk.locator(".inbox-row .who").nth(1).inner_text().splitlines()[-1].strip()
    desk.keyboard.press("r")
    desk.keyboard.type("We will be there at four.")
    desk.keyboard.press("Control+Enter")
    expect(desk.locator(".desk-conversation aside h2").first).to_have_text(second)
    expect(desk.get_by_label("Your answer")).to_have_value("")
    expect(desk).to_have_url(re.compile(r"state=waiting"))
    assert Axe().run(desk).violations_count == 0


def test_many_are_assigned_with_four_clicks_and_put_back_with_one(desk):
    desk.goto("/inbox/?state=all")
    desk.get_by_label("Select all").check()
    desk.get_by_label("Assign to").select_option("me")
    assert Axe().run(desk).violations_count == 0
    desk.get_by_role("region", name="Conversations").get_by_role("button", name="Assign", exact=True).click()
    done = desk.locator("#bulk-done")
    expect(done).to_contain_text(re.compile(r"\d+ conversations assigned"))
    expect(desk.locator(".inbox-row").first).to_contain_text("Dana Reed")
    done.get_by_role("button", name="Undo").click()
    expect(desk.locator("#inbox-list [role=status]")).to_contain_text("put back")
    expect(desk.locator(".inbox-row").first).not_to_contain_text("Dana Reed")


def test_a_conversation_is_snoozed_and_tagged_by_keys(desk):
    desk.goto("/inbox/?q=pia")
    open_row(desk, 0)
    desk.keyboard.press("t")
    expect(desk.get_by_label("Tag", exact=True)).to_be_focused()
    assert Axe().run(desk).violations_count == 0
    desk.keyboard.type("Callback")
    desk.keyboard.press("Enter")
    expect(desk.locator(".thread-state")).to_contain_text("Callback")
    expect(desk.locator(".inbox-row").first).to_contain_text("Callback")
    desk.keyboard.press("s")
    expect(desk.get_by_role("button", name="1 hour")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator(".thread-state")).to_contain_text("Snoozed until")
    expect(desk.get_by_role("log")).to_contain_text("snoozed it until")
    desk.keyboard.press("s")
    expect(desk.get_by_role("button", name="End the snooze")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator(".thread-state")).not_to_contain_text("Snoozed until")
    desk.get_by_role("button", name="Remove the tag Callback").click()
    expect(desk.locator(".inbox-row").first).not_to_contain_text("Callback")


def test_on_a_phone_the_list_and_the_conversation_come_one_after_the_other(page):
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto("/inbox/?state=all")
    page.locator(".inbox-row a.row-link").first.click()
    expect(page.get_by_role("log")).to_be_visible()
    expect(page.locator("#inbox-list")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.locator(".crumb").get_by_role("link", name="Inbox").click()
    expect(page.locator("#inbox-list")).to_be_visible()


def test_a_view_is_saved_and_deleted(desk):
    desk.get_by_text("Saved views").click()
    desk.get_by_label("Name of the view").fill("Longest waiting")
    desk.get_by_role("button", name="Save").click()
    view = desk.get_by_role("link", name=re.compile("Longest waiting"))
    expect(view).to_have_attribute("aria-current", "page")
    assert Axe().run(desk).violations_count == 0
    desk.get_by_role("button", name="Delete the view Longest waiting").click()
    expect(view).to_have_count(0)


def test_a_late_answer_does_not_put_one_lead_under_another(desk):
    """A button of one conversation is answered when the next one is open already."""
    late = []
    first = open_row(desk, 0)
    desk.route("**/hand-over/*", lambda route: late.append(route))
    desk.locator("#hand-over").click()
    second = open_row(desk, 1)
    assert first != second
    with desk.expect_response("**/hand-over/*"):
        late[0].continue_()
    desk.wait_for_timeout(500)
    action = desk.locator(".composer").get_attribute("action")
    assert desk.url.split("/inbox/")[1].split("/")[0] in action
    expect(desk.locator(".desk-conversation aside h2").first).to_have_text(second)
    desk.unroute_all()


def test_what_is_typed_for_one_lead_is_not_put_under_the_next(desk):
    open_row(desk, 0)
    desk.get_by_label("Your answer").fill("Only for the first one")
    open_row(desk, 1)
    expect(desk.get_by_label("Your answer")).to_have_value("")
    open_row(desk, 0)
    expect(desk.get_by_label("Your answer")).to_have_value("Only for the first one")
    desk.get_by_label("Your answer").fill("")


def test_the_focus_stays_in_the_conversation_after_a_button(desk):
    open_row(desk, 0)
    desk.keyboard.press("t")
    desk.keyboard.type("Focus")
    desk.keyboard.press("Enter")
    expect(desk.locator(".thread-state")).to_contain_text("Focus")
    expect(desk.locator("#thread-title")).to_be_focused()
    desk.get_by_role("button", name="Remove the tag Focus").click()
    expect(desk.locator(".thread-state")).not_to_contain_text("Focus")


def test_a_saved_reply_comes_by_a_slash(desk):
    desk.goto("/settings/saved-replies/new/")
    desk.get_by_label("Name").fill("Browser hours")
    desk.get_by_label("Text").fill("Dear {{first_name}}, we open at nine.")
    desk.get_by_role("button", name="Save").click()
    desk.goto("/inbox/?state=waiting")
    name = open_row(desk, 0).split()[0]
    desk.keyboard.press("r")
    desk.keyboard.press("/")
    expect(desk.get_by_label("Find a saved reply")).to_be_focused()
    assert Axe().run(desk).violations_count == 0
    desk.keyboard.type("browser")
    desk.keyboard.press("Enter")
    answer = desk.get_by_label("Your answer")
    expect(answer).to_have_value(f"Dear {name}, we open at nine.")
    expect(answer).to_be_focused()
    answer.fill("")
    desk.goto("/settings/saved-replies/")
    desk.get_by_role("link", name="Browser hours").click()
    desk.get_by_role("button", name="Delete").click()
    desk.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(desk.get_by_role("link", name="Browser hours")).to_have_count(0)
