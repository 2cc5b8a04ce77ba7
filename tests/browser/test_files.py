"""Files in a conversation, as the team sees and sends them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.files import PDF, photo

pytestmark = pytest.mark.browser
CHOSEN = [
    {"name": "offer.pdf", "mimeType": "application/pdf", "buffer": PDF},
    {"name": "van.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(400, 300))},
]


@pytest.fixture
def thread(page: Page) -> Page:
    page.goto("/inbox/?state=all")
    page.get_by_role("link", name=re.compile("Ben Ortiz")).click()
    return page


def test_a_leads_picture_is_seen_and_its_document_downloaded(thread, tmp_path):
    picture = thread.locator(".attachments img").first
    expect(picture).to_be_visible(timeout=20_000)
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 960
    with thread.expect_download() as download:
        thread.get_by_role("link", name="data sheet.pdf").click()
    target = Path(tmp_path / "sheet.pdf")
    download.value.save_as(target)
    assert target.read_bytes().startswith(b"%PDF")


def test_the_team_answers_with_files(thread):
    thread.get_by_label("Your answer").fill("Our offer, and the van that will come.")
    thread.get_by_label("Files").set_input_files(CHOSEN)
    thread.get_by_role("button", name="Send", exact=True).click()
    answer = thread.locator(".bubble", has_text="the van that will come")
    expect(answer.locator(".attachments li")).to_have_count(2)
    expect(thread.get_by_label("Your answer")).to_have_value("")
    for _ in range(40):
        if answer.locator("img").count() and answer.locator(".pill", has_text="Sent").count():
            break
        thread.wait_for_timeout(500)
        thread.reload()
    expect(answer.locator("img")).to_be_visible()
    report = Axe().run(thread, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert report.violations_count == 0, report.generate_report()


def test_chosen_files_survive_another_button_and_a_refusal(thread):
    thread.get_by_label("Files").set_input_files(CHOSEN[:1])
    with thread.expect_response("**/assign/*"):
        thread.get_by_role("button", name="Assign").click()
    assert thread.get_by_label("Files").evaluate("input => input.files[0]?.name") == "offer.pdf"
    thread.get_by_label("Your answer").fill("A note that takes no files")
    thread.get_by_role("button", name="Note for the team").click()
    expect(thread.get_by_role("alert")).to_contain_text("A note takes no files")
    expect(thread.get_by_role("checkbox", name="offer.pdf")).to_be_checked()
    expect(thread.get_by_label("Your answer")).to_have_value("A note that takes no files")
    thread.get_by_role("button", name="Send", exact=True).click()
    answer = thread.locator(".bubble", has_text="A note that takes no files")
    expect(answer.locator(".attachments li")).to_have_count(1)
