"""A real Chromium against the real processes: web, worker, beat, mail in and out, as `make run` starts them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from demo.accounts import LOGIN, PASSWORD

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")  # Playwright's loop runs in this thread as long as it lives
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    assert program, "The browser tests need Chromium: install it, or say with CHROMIUM where it is."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-quic"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, stack, tmp_path) -> Iterator[Page]:
    """A page of the demo's owner that fails the test when a script or the content policy complains."""
    context = chromium.new_context(base_url=f"http://localhost:{stack.port}", viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.complaints = complaints  # a test that breaks the connection takes its own out
    log_in(page)
    yield page
    context.close()
    assert [line for line in complaints if "Failed to load resource" not in line] == []


def log_in(page: Page, email: str = LOGIN) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/inbox/")


@pytest.fixture
def sink(stack) -> Path:
    """Where the mails to leads are kept."""
    return Path(stack.env["DEMO_MAIL_DIR"])
