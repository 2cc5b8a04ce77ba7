"""The walk of a newcomer through the product, in a real browser, against real receivers."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import (
    REPLY_API,
    WEBHOOK,
    add_source,
    call,
    enable,
    mail_to,
    make_webhook,
    open_tab,
    send_form,
    set_up_reply_api,
    source_id,
)

pytestmark = pytest.mark.browser


def test_the_whole_walk(page, stack, sink, receiver):
    add_source(page, "Walk Roofing")
    add_source(page, "Walk North", parent="Walk Roofing")
    source = source_id(page, "Walk North")
    open_tab(page, "Walk North")
    key = reply_api_is_set_up_and_validated(page)
    webhook_is_set_up_and_tested(page, receiver)
    lead = lead_of_the_form_is_answered(stack, sink, receiver, source, key)
    new = key_is_regenerated(page, stack, lead, key)
    parent = location_inherits_from_its_business(page, stack, lead, new)
    both_are_disconnected(page, stack, lead, new, parent)


def reply_api_is_set_up_and_validated(page: Page) -> str:
    open_tab(page, "Walk North")
    key = set_up_reply_api(page)
    page.locator(f"{REPLY_API}-check").click()
    expect(page.locator(REPLY_API)).to_contain_text("Turn this on to let replies through")
    enable(page, REPLY_API)
    page.locator(f"{REPLY_API}-check").click()
    expect(page.locator(REPLY_API)).to_contain_text("The key works.")
    expect(page.locator(f"{REPLY_API}-new-secrets-1")).to_have_text(key)  # it stands until it is copied
    page.reload()
    assert key not in page.content(), "a key is shown once"
    return key


def webhook_is_set_up_and_tested(page: Page, receiver) -> None:
    """Test webhook against a receiver that answers 200, 500 and not at all; then it is turned on."""
    page.get_by_label("Webhook URL").fill(receiver.url)
    page.locator(f"{WEBHOOK}-set-up").click()
    expect(page.locator(f"{WEBHOOK}-new-secrets-2")).to_have_text(re.compile("^whsec_"))

    receiver.answers = [200, 500, lambda handler: time.sleep(20)]
    check = page.locator(f"{WEBHOOK}-check")
    check.click()
    expect(page.locator(WEBHOOK)).to_contain_text("Test webhook: 200 in", timeout=20_000)
    expect(page.locator(WEBHOOK)).to_contain_text("Verified")
    check.click()
    expect(page.locator(WEBHOOK)).to_contain_text("Test webhook: 500 in", timeout=20_000)
    check.click()
    expect(page.locator(WEBHOOK)).to_contain_text("No answer within 15 s", timeout=40_000)
    assert page.locator(f"{WEBHOOK}-switch").get_attribute("aria-checked") == "false", "a test never turns it on"
    receiver.answers = []
    enable(page, WEBHOOK)


def lead_of_the_form_is_answered(stack, sink, receiver, source: str, key: str) -> str:
    """The loop from the form to the mail; return the lead's id."""
    send_form(stack, source, "wanda@example.net")
    lead = receiver.wait(4)[-1]
    lead_id = json.loads(lead["body"])["data"]["lead"]["id"]
    status, body = call(stack, "POST", f"/leads/{lead_id}/conversations/reply", key, {"content": "A roofer comes."})
    assert status == 201, body
    mail_to(sink, "wanda@example.net", "A roofer comes.")
    return lead_id


def key_is_regenerated(page: Page, stack, lead_id: str, key: str) -> str:
    """The old key is 401 at once, the new one 201."""
    page.locator(f"{REPLY_API}-regenerate").click()
    page.get_by_role("button", name="Regenerate", exact=True).click()
    expect(page.locator(f"{REPLY_API}-new-secrets-1")).to_have_text(re.compile("^lwr_"))
    new = page.locator(f"{REPLY_API}-new-secrets-1").inner_text()
    assert call(stack, "GET", "/whoami", key)[0] == 401
    assert call(stack, "POST", f"/leads/{lead_id}/conversations/reply", new, {"content": "Tomorrow."})[0] == 201
    return new


def location_inherits_from_its_business(page: Page, stack, lead_id: str, new: str) -> str:
    """The parent's key opens the location, the location's own does not; return the parent's."""
    open_tab(page, "Walk Roofing")
    parent = set_up_reply_api(page)
    assert call(stack, "GET", f"/leads/{lead_id}", parent)[0] == 404
    open_tab(page, "Walk North")
    page.locator(f"{REPLY_API}-inherits").click()
    expect(page.locator(REPLY_API)).to_contain_text("Inherited from Walk Roofing")
    assert call(stack, "POST", f"/leads/{lead_id}/conversations/reply", parent, {"content": "From above."})[0] == 201
    assert call(stack, "GET", "/whoami", new)[0] == 401
    return parent


def both_are_disconnected(page: Page, stack, lead_id: str, new: str, parent: str) -> None:
    """At the location the parent's key reads 404, since the lead is no longer its own; the location's key is gone."""
    page.locator(f"{REPLY_API}-disconnect").click()
    expect(page.get_by_role("dialog")).to_contain_text("It no longer inherits from Walk Roofing, which is not touched.")
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.locator(REPLY_API)).to_contain_text("Disconnected.")
    assert call(stack, "GET", f"/leads/{lead_id}", parent)[0] == 404
    assert call(stack, "GET", "/whoami", new)[0] == 401
    open_tab(page, "Walk Roofing")
    page.locator(f"{REPLY_API}-disconnect").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.locator(REPLY_API)).to_contain_text("Disconnected.")
    assert call(stack, "GET", "/whoami", parent)[0] == 401


def test_the_demos_crm_closes_the_loop_by_itself(page, stack, sink):
    send_form(stack, source_id(page, "Eastgate"), "loop@example.net")
    mail_to(sink, "loop@example.net", "A plumber calls you within the hour.")
    page.goto("/inbox/")
    page.get_by_role("link", name=re.compile("Wanda Walker.*Eastgate")).first.click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("My roof leaks.")
    expect(log).to_contain_text("via API")


def test_an_agent_answers_closes_and_reopens(page, sink):
    page.goto("/inbox/")
    page.get_by_role("link", name=re.compile("Hassan Ali")).click()
    page.get_by_label("Your answer").fill("Pour hot water with soda in, we come on Monday.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("Pour hot water")
    mail_to(sink, "hassan.ali@example.net", "Pour hot water")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("#thread")).to_contain_text("Closed")
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator("#thread").get_by_role("button", name="Close", exact=True)).to_be_visible()


def test_an_answer_is_refused_when_somebody_answered_since_the_page_was_drawn(page, chromium, stack):
    page.goto("/inbox/")
    page.get_by_role("link", name=re.compile("Ava Brooks")).click()
    page.wait_for_url("**/inbox/conv_*/")
    url = page.url
    page.get_by_label("Your answer").fill("Mine")
    other = page.context.new_page()
    other.goto(url)
    other.get_by_label("Your answer").fill("Theirs")
    other.get_by_role("button", name="Send", exact=True).click()
    expect(other.get_by_role("log")).to_contain_text("Theirs")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Dana Reed answered \d+ s ago. Read it first."))
    expect(page.get_by_label("Your answer")).to_have_value("Mine")


def test_the_cards_work_without_scripts(chromium, stack):
    from tests.browser.conftest import log_in

    context = chromium.new_context(base_url=f"http://localhost:{stack.port}", java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    add_source(page, "Plain Plumbing")
    open_tab(page, "Plain Plumbing")
    key = set_up_reply_api(page)
    page.locator(f"{REPLY_API}-switch").click()
    assert call(stack, "GET", "/leads", key)[0] == 200
    page.locator(f"{REPLY_API}-disconnect").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    assert call(stack, "GET", "/whoami", key)[0] == 401
    context.close()


def test_a_switch_answers_in_its_card_and_keeps_the_focus(page):
    open_tab(page, "Westgate")
    page.wait_for_load_state("networkidle")
    with page.expect_response(re.compile("/options/")) as answer:
        page.locator(f"{REPLY_API}-only_new_leads").click()
    assert answer.value.status == 200
    expect(page.locator(f"{REPLY_API}-only_new_leads")).to_have_attribute("aria-checked", "true")
    assert page.evaluate("document.activeElement.id") == "card-lead-reply-api-only_new_leads", "the focus stays"


def test_a_webhook_of_the_organization_from_its_making_to_its_end(page):
    url = make_webhook(page, "Night shift")
    page.goto(url)
    page.get_by_role("button", name="Rotate the secret…").click()
    page.get_by_label("Both sign for 24 hours").check()
    page.get_by_role("button", name="Rotate", exact=True).click()
    expect(page.locator(".note", has_text="The old one signs too until")).to_be_visible()
    page.goto(url)
    page.get_by_role("switch", name="Enabled").click()
    expect(page.get_by_role("switch", name="Enabled")).to_have_attribute("aria-checked", "false")
    page.get_by_role("button", name="Test webhook").click()
    expect(page.locator(".note", has_text="no answer")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted Night shift.")).to_be_visible()


def test_a_test_lead_goes_round(page):
    """The demo's own system answers it, as the newcomer's would."""
    open_tab(page, "Northside Plumbing")
    page.get_by_role("button", name="Send a test lead").click()
    expect(page.get_by_role("heading", name="Everything works")).to_be_visible(timeout=20_000)
    assert page.get_by_text("Done", exact=True).count() == 4


def test_a_replay_counts_as_one_watches(page):
    open_tab(page, "Riverside")
    page.get_by_role("link", name="Send events again…").click()
    page.get_by_label("From").fill("2026-01-01T00:00")
    page.get_by_label("Only what never arrived").uncheck()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#replay").get_by_text("would be sent")).to_be_visible(timeout=20_000)
