"""A mailbox is connected from the settings page, from empty to the first message and its answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_channels import open_conversation
from tests.support.mailboxes import ADDRESS, PASSWORD
from tests.support.mails import mail

pytestmark = pytest.mark.browser


@pytest.fixture
def connected(page, imap_server, smtp_account):
    page.goto("/settings/channels/")
    page.get_by_role("link", name="Add Email by your mail server").click()
    fill_in(page, imap_server, smtp_account)
    yield page
    page.goto("/settings/channels/")  # mails of the other tests go by the demo's server again
    page.get_by_role("link", name="Sales mailbox").click()
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect and remove from the list").click()
    expect(page.get_by_text("Removed Sales mailbox.")).to_be_visible()


def fill_in(page: Page, imap_server, smtp_account) -> None:
    page.get_by_label("Name", exact=True).fill("Sales mailbox")
    page.get_by_label("Source").select_option(label="Riverside")
    page.get_by_label("Mail address").fill(ADDRESS)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Server for sending").fill("127.0.0.1")
    page.get_by_label("Port for sending").fill(str(smtp_account.port))
    page.get_by_label("Server for reading").fill("127.0.0.1")
    page.get_by_label("Port for reading").fill(str(imap_server.port))
    page.get_by_role("button", name="Connect").click()


def test_a_mailbox_from_empty_to_the_first_message_and_its_answer(connected, imap_server, smtp_account):
    page = connected
    expect(page.locator("#connection")).to_contain_text(
        "Both servers take the user name and the password.", timeout=30_000
    )
    expect(page.locator("#connection-state")).to_contain_text("Connected", timeout=60_000)
    imap_server.put(mail("Do you also mend roofs?", "Rosa Diaz <rosa@example.net>", Subject="Roof"))
    open_conversation(page, "Do you also mend roofs?")
    page.get_by_label("Your answer").fill("Yes, roofs too.")
    page.get_by_role("button", name="Send", exact=True).click()
    letter = smtp_account.wait(1, 60)[0]
    assert (letter["From"], letter["To"]) == (f"Sales mailbox <{ADDRESS}>", "rosa@example.net")
