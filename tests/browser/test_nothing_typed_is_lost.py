"""What somebody types survives other buttons, a lost connection, an ended session and the way back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from messaging.website import form_snippet
from tests.browser.steps import WEBHOOK, add_source, open_tab

pytestmark = pytest.mark.browser
WORDS = "A long answer that nobody wants to write twice."


@pytest.fixture
def thread(page: Page) -> Page:
    page.goto("/inbox/")
    page.locator(".inbox-row a.row-link").first.click()
    page.locator("#id_content").fill(WORDS)
    return page


def test_a_draft_survives_assigning_closing_and_going_away(thread):
    answer = thread.locator("#id_content")
    thread.get_by_label("Assigned to").select_option(index=1)
    expect(answer).to_have_value(WORDS)  # choosing alone does nothing yet
    with thread.expect_response("**/assign/*"):
        thread.get_by_role("button", name="Assign").click()
    expect(answer).to_have_value(WORDS)
    thread.locator("#close").click()
    expect(thread.locator("#close")).to_have_text("Reopen")
    expect(answer).to_have_value(WORDS)
    thread.locator("#close").click()
    thread.goto("/leads/")
    thread.go_back()
    expect(answer).to_have_value(WORDS)
    thread.locator("#send").click()
    expect(thread.get_by_role("log")).to_contain_text(WORDS)
    thread.reload()
    expect(answer).to_have_value("")


def test_two_buttons_pressed_quickly_both_show_what_they_did(thread):
    late = []
    thread.route("**/assign/*", lambda route: late.append(route))
    thread.get_by_label("Assigned to").select_option(index=1)
    chosen = thread.get_by_label("Assigned to").input_value()
    thread.get_by_role("button", name="Assign").click()
    thread.locator("#close").click()
    expect(thread.locator("#close")).to_have_text("Reopen")
    late[0].continue_()
    thread.locator("#assignee option:checked[selected]").wait_for(state="attached")
    expect(thread.get_by_label("Assigned to")).to_have_value(chosen)
    expect(thread.locator("#close")).to_have_text("Reopen")
    thread.unroute_all()
    thread.locator("#close").click()
    expect(thread.locator("#close")).to_have_text("Close")


def test_an_answer_sent_while_its_thread_is_drawn_anew_is_shown_as_sent(thread):
    late = []
    thread.route("**/reply/", lambda route: late.append(route))
    thread.locator("#send").click()
    thread.locator("#close").click()
    expect(thread.locator("#close")).to_have_text("Reopen")
    late[0].continue_()
    expect(thread.get_by_role("log")).to_contain_text(WORDS)
    expect(thread.locator("#id_content")).to_have_value("")
    thread.unroute_all()
    thread.reload()
    expect(thread.locator("#id_content")).to_have_value("")


def test_a_lost_connection_is_said_and_the_text_stays(thread):
    thread.context.set_offline(True)
    thread.locator("#send").click()
    expect(thread.get_by_role("alert")).to_contain_text("You seem to be offline")
    expect(thread.locator("#id_content")).to_have_value(WORDS)
    thread.context.set_offline(False)
    thread.locator("#send").click()
    expect(thread.get_by_role("log")).to_contain_text(WORDS)
    expect(thread.get_by_text("You seem to be offline")).to_have_count(0)
    thread.complaints.clear()  # htmx tells the console too


def test_an_ended_session_is_said_and_the_text_is_there_after_the_login(thread):
    from demo.accounts import LOGIN, PASSWORD

    where = thread.url
    thread.context.clear_cookies(name="sessionid")
    thread.locator("#send").click()
    alert = thread.get_by_role("alert")
    expect(alert).to_contain_text(re.compile("logged out|expired"))
    expect(thread.locator("#id_content")).to_have_value(WORDS)
    thread.complaints.clear()  # htmx tells the console too
    thread.goto(f"/accounts/login/?next={where[where.index('/inbox/') :]}")
    thread.get_by_label("Email").fill(LOGIN)
    thread.get_by_label("Password").fill(PASSWORD)
    thread.get_by_role("button", name="Log in").click()
    thread.wait_for_url("**/inbox/conv_*/")
    expect(thread.locator("#id_content")).to_have_value(WORDS)


def test_the_test_tries_the_url_that_is_typed(page, receiver):
    add_source(page, "Dirty Field Roofing")
    open_tab(page, "Dirty Field Roofing")
    page.locator("#id_url").fill("http://127.0.0.1:9/old")
    page.locator(f"{WEBHOOK}-set-up").click()
    expect(page.locator(f"{WEBHOOK}-new-secrets-1")).to_be_visible()
    page.locator("#id_url").fill(receiver.url)
    page.get_by_role("switch", name=re.compile("Create customer only when|contact")).nth(1).click()
    expect(page.locator("#id_url")).to_have_value(receiver.url)  # another button leaves it alone
    page.locator(f"{WEBHOOK}-check").click()
    expect(page.locator(WEBHOOK)).to_contain_text("Test webhook: 200 in", timeout=20_000)
    assert receiver.requests
    page.reload()
    expect(page.locator("#id_url")).to_have_value(receiver.url)


def test_the_form_takes_another_message_after_the_way_back(page, stack):
    """On a site without TLS, where crypto.randomUUID is not there."""
    from types import SimpleNamespace

    page.goto("/sources/")
    page.get_by_role("link", name=re.compile("^Northside Plumbing ")).click()
    source = page.url.rstrip("/").rpartition("/")[2]
    snippet = form_snippet(SimpleNamespace(public_id=source))
    snippet = re.sub(r'action="[^"]*/forms/', f'action="http://localhost:{stack.port}/forms/', snippet)
    visitor = page.context.browser.new_context().new_page()
    visitor.route("http://shop.example/", lambda route: route.fulfill(body=snippet, content_type="text/html"))
    visitor.goto("http://shop.example/")
    for message in ("My first question", "And a second one"):
        visitor.get_by_label("Name").fill("Bea Back")
        visitor.get_by_label("Email").fill("bea@back.example")
        visitor.get_by_label("Message").fill(message)
        visitor.get_by_role("button", name="Send").click()
        visitor.wait_for_url("**/thanks")
        visitor.go_back()
    visitor.context.close()
    page.goto("/inbox/")
    page.get_by_role("link", name=re.compile("Bea Back")).first.click()
    expect(page.get_by_role("log")).to_contain_text("My first question")
    expect(page.get_by_role("log")).to_contain_text("And a second one")
