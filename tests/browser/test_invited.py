"""Somebody is invited, gets in, turns two-factor login on, loses the password and comes back: by the mails alone."""

from __future__ import annotations

import re
import time
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
VERA, CHOSEN, CHOSEN_LATER = "vera@newcomer.example", "kettle-lantern-47", "lantern-kettle-74"


def mail_to(sink: Path, address: str, subject: str) -> str:
    """Wait for a mail of the team, and return its words."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in sorted(sink.glob("*.eml")):
            mail = message_from_bytes(file.read_bytes(), policy=policy.default)
            if mail["To"] == address and mail["Subject"] == subject:
                return str(mail.get_content())
        time.sleep(0.1)
    raise AssertionError(f"No mail to {address} with the subject {subject}.")


def link_in(words: str) -> str:
    link = re.search(r"http\S+", words)
    assert link
    return link[0]


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def choose(page: Page, password: str) -> None:
    page.get_by_label("New Password", exact=True).fill(password)
    page.get_by_label("New Password (again)").fill(password)
    page.get_by_role("button", name="Save and log in").click()


def test_somebody_is_invited_and_finds_the_way_by_the_mails(page, chromium, stack, sink):
    page.goto("/settings/members/")
    page.get_by_label("Name").fill("Vera Novak")
    page.get_by_label("Email").fill(VERA)
    page.get_by_label("Role").select_option(label="Viewer")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text(f"Invitation sent to {VERA}.")).to_be_visible()

    words = mail_to(sink, VERA, "Dana Reed invited you to Northside on Leadwire")
    assert "Hi Vera Novak," in words
    assert "Dana Reed added you to Northside as a viewer." in words
    assert "reset" not in words.lower()
    context = chromium.new_context(base_url=f"http://localhost:{stack.port}")
    vera = context.new_page()
    vera.goto(link_in(words))
    expect(vera.get_by_text(f"Welcome to Northside. You log in as {VERA}.")).to_be_visible()
    choose(vera, CHOSEN)
    expect(vera.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(vera.get_by_text("You're all set.")).to_be_visible()

    secret = turn_the_second_factor_on(vera)

    vera.get_by_role("button", name="Log out").click()
    vera.goto("/accounts/login/")
    vera.get_by_role("link", name="Forgot your password?").click()
    vera.get_by_label("Email").fill(VERA)
    vera.get_by_role("button", name="Send the link").click()
    expect(vera.get_by_role("heading", name="Check your inbox")).to_be_visible()
    words = mail_to(sink, VERA, "Choose a new password for Leadwire")
    vera.goto(link_in(words))
    choose(vera, CHOSEN_LATER)
    vera.wait_for_url("**/2fa/authenticate/**")
    time.sleep(31 - time.time() % 30)  # a code counts once
    vera.locator("input[name=code]").fill(code_of(secret))
    vera.locator("main button").first.click()
    expect(vera.get_by_role("heading", name="Inbox")).to_be_visible()

    vera.goto(link_in(words))
    expect(vera.get_by_role("heading", name="This link does not work")).to_be_visible()
    context.close()


def turn_the_second_factor_on(page: Page) -> str:
    """Return its secret."""
    page.goto("/settings/account/")
    page.get_by_role("link", name="Two-factor").click()
    page.get_by_role("link", name="Activate").click()
    if page.get_by_role("button", name="Confirm").count():
        page.locator("input[name=password]").fill(CHOSEN)
        page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()  # within the product, with a way back
    secret = page.locator("#authenticator_secret").input_value()
    page.locator("input[name=code]").fill(code_of(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.locator("#authenticator_secret")).to_have_count(0)  # answered: going on at once may cut it off
    page.goto("/accounts/2fa/")
    expect(page.get_by_text("Authentication using an authenticator app is active.")).to_be_visible()
    return secret
