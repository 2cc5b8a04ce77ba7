"""Two people, one conversation: what one does is on the other's screen, after a cut and after sleep too."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.steps import send_form, source_id

pytestmark = pytest.mark.browser
SOON = 15_000  # milliseconds


@pytest.fixture
def desk(page: Page) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/inbox/?q=grace")
    page.locator(".inbox-row a.row-link").first.click()
    expect(page.get_by_role("log")).to_be_visible()
    return page


@pytest.fixture
def other(desk: Page) -> Page:
    """The same conversation in another window."""
    window = desk.context.new_page()
    window.set_viewport_size({"width": 1440, "height": 900})
    window.goto(desk.url)
    return window


def test_an_answer_shows_up_elsewhere_and_what_is_typed_there_stays(desk, other):
    answer = other.get_by_label("Your answer")
    answer.fill("I am still writing")
    answer.evaluate("area => area.setSelectionRange(2, 4)")
    desk.get_by_label("Your answer").fill("We come on Friday.")
    desk.locator("#send").click()
    other.bring_to_front()
    expect(other.get_by_role("log")).to_contain_text("We come on Friday.", timeout=SOON)
    expect(answer).to_have_value("I am still writing")
    expect(answer).to_be_focused()
    assert answer.evaluate("area => [area.selectionStart, area.selectionEnd]") == [2, 4]
    assert Axe().run(other).violations_count == 0
    answer.fill("")


def test_closing_and_tags_show_up_elsewhere(desk, other):
    desk.bring_to_front()
    desk.locator("#close").click()
    expect(desk.locator("#close")).to_have_text("Reopen")
    other.bring_to_front()
    expect(other.locator("#close")).to_have_text("Reopen", timeout=SOON)
    expect(other.locator(".inbox-row").first).to_contain_text("Closed", timeout=SOON)
    other.locator("#close").click()
    expect(other.locator("#close")).to_have_text("Close")


def test_what_happened_during_a_cut_is_made_up_for_once(desk, other):
    """The line of one window is cut while the other one answers twice; then it asks again."""
    other.route("**/inbox/changes/*", lambda route: route.abort())
    desk.bring_to_front()
    for words in ("Sent during the cut.", "And another one."):
        desk.get_by_label("Your answer").fill(words)
        desk.locator("#send").click()
        expect(desk.get_by_role("log")).to_contain_text(words)
    other.bring_to_front()
    other.wait_for_timeout(5_000)
    expect(other.get_by_role("log")).not_to_contain_text("Sent during the cut.")
    other.unroute_all()
    other.evaluate("window.dispatchEvent(new Event('online'))")
    expect(other.get_by_role("log")).to_contain_text("And another one.", timeout=30_000)
    assert other.get_by_role("log").get_by_text("Sent during the cut.").count() == 1
    shown = other.locator("#timeline > li").evaluate_all("items => items.map((item) => item.id)")
    other.reload()
    assert other.locator("#timeline > li").evaluate_all("items => items.map((item) => item.id)") == shown


def test_a_new_lead_comes_to_the_top_of_the_list(page, stack):
    source = source_id(page, "Westgate")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/inbox/")
    page.locator(".inbox-row input").nth(1).check()
    ticked = page.locator(".inbox-row").nth(1).get_attribute("id")
    send_form(stack, source, "fresh@example.net")
    row = page.locator(".inbox-row", has_text=re.compile("Wanda Walker.*Westgate", re.DOTALL)).first
    expect(row).to_be_visible(timeout=SOON)
    expect(page.locator(f"#{ticked} input")).to_be_checked()
