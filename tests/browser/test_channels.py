"""One lead by SMS, WhatsApp and mail, in one conversation, as the team sees it."""

from __future__ import annotations

import re
import time

import psycopg
import pytest
from playwright.sync_api import Page, expect

from demo.phones import PHONE
from tests.browser.steps import mail_to

pytestmark = pytest.mark.browser
A_DAY_LATER = """
UPDATE conversations_message SET said_at = coalesce(said_at, created_at) - interval '25 hours'
WHERE direction = 'inbound' AND lead_id IN (SELECT id FROM leads_lead WHERE phone_e164 = %s)
"""


def write_from_the_phone(page: Page, channel: str, text: str) -> None:
    """In a tab of its own, as on another device."""
    phone = page.context.new_page()
    phone.goto("/demo/phone/")
    phone.get_by_label("Channel").select_option(label=channel)
    phone.get_by_label("Message").fill(text)
    phone.get_by_role("button", name="Send").click()
    expect(phone.locator(".bubble", has_text=text)).to_be_visible()
    phone.close()


def answer(page: Page, channel: str, text: str) -> None:
    page.get_by_label("Channel").select_option(label=f"{channel} to {PHONE}")
    page.get_by_label("Your answer").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".bubble", has_text=text)).to_be_visible()


def expect_state(page: Page, text: str, state: str, seconds: float = 20) -> None:
    """Look at the conversation again until a message has a state."""
    pill = page.locator(".bubble", has_text=text).last.locator(".pill", has_text=state)
    deadline = time.monotonic() + seconds
    while not pill.count():
        assert time.monotonic() < deadline, f"“{text}” is not {state}"
        time.sleep(0.3)
        page.reload()


def test_one_lead_on_three_channels(page, stack, sink):
    number_turns_green_by_itself(page)
    write_from_the_phone(page, "WhatsApp", "Can you also repair a shower?")
    open_conversation(page, "Can you also repair a shower?")
    expect(page.get_by_label("Channel").locator("option").first).to_contain_text("WhatsApp")
    answer(page, "WhatsApp", "Yes, showers too.")
    expect_state(page, "Yes, showers too.", "Read")
    answer(page, "SMS", "And by SMS.")
    expect_state(page, "And by SMS.", "Delivered")
    mail_reaches_the_same_lead(page, stack, sink)
    failure_says_why_and_is_sent_again(page)
    window_closes_and_a_template_is_sent(page, stack)


def number_turns_green_by_itself(page: Page) -> None:
    page.goto("/settings/channels/")
    page.get_by_role("link", name="Main line").click()
    expect(page.locator("#connection")).to_contain_text("Waiting for the first message")
    write_from_the_phone(page, "SMS", "Hello, is this the plumber?")
    expect(page.locator("#connection")).to_contain_text("Connected", timeout=20_000)
    page.get_by_role("button", name="Check credentials").click()
    expect(page.locator("#connection")).to_contain_text("Twilio knows the account")


def open_conversation(page: Page, words: str) -> None:
    page.goto("/inbox/")
    link = page.get_by_role("link", name=re.compile(re.escape(words)))
    deadline = time.monotonic() + 60
    while not link.count():
        assert time.monotonic() < deadline, "the message did not arrive"
        time.sleep(0.3)
        page.reload()
    link.first.click()
    expect(page.locator(".bubble", has_text=words)).to_be_visible()


def mail_reaches_the_same_lead(page: Page, stack, sink) -> None:
    """The lead's address is known from now on, and the mail stands in the same conversation."""
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as database:
        database.execute("UPDATE leads_lead SET email = 'pat@example.net' WHERE phone_e164 = %s", [PHONE])
    page.reload()
    page.get_by_label("Channel").select_option(label="Email to pat@example.net")
    page.get_by_label("Your answer").fill("The invoice comes by mail.")
    page.get_by_role("button", name="Send", exact=True).click()
    assert mail_to(sink, "pat@example.net", "The invoice comes by mail.")


def failure_says_why_and_is_sent_again(page: Page) -> None:
    answer(page, "SMS", "See you at four (phone is off)")
    expect_state(page, "See you at four", "Not sent")
    expect(page.locator(".bubble", has_text="See you at four")).to_contain_text("The phone is off, out of reach")
    page.get_by_role("button", name="Send it again").click()
    expect_state(page, "See you at four", "Delivered")


def window_closes_and_a_template_is_sent(page: Page, stack) -> None:
    conversation = page.url
    page.goto("/settings/channels/")
    page.get_by_role("link", name="WhatsApp of the office").click()
    page.get_by_role("button", name="Check credentials").click()
    expect(page.locator("#connection")).to_contain_text("appointment_reminder")
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as database:
        database.execute(A_DAY_LATER, [PHONE])
    page.goto(conversation)
    closed = page.get_by_label("Channel").locator("option", has_text="last message over 24 hours ago")
    expect(closed).to_be_disabled()
    page.get_by_role("link", name="appointment_reminder").click()
    page.get_by_label("{{1}}").fill("Pat")
    page.get_by_label("{{2}}").fill("Monday")
    page.get_by_role("button", name="Send").click()
    text = "Hello Pat, we come to you on Monday. Does that still suit you?"
    expect(page.locator(".bubble", has_text=text)).to_be_visible()
    expect_state(page, text, "Read")
