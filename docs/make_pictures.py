"""Make the pictures of the README from the running demo.

    make run                                      (in another terminal)
    .venv/bin/python docs/make_pictures.py [http://localhost:8000]

Needs what the tests need (`make test` installs it) and Chromium.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.accounts import LOGIN, PASSWORD

FOLDER = Path(__file__).resolve().parent


def main(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 900})
        page.goto("/accounts/login/")
        page.get_by_label("Email").fill(LOGIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.goto("/sources/")
        page.get_by_role("link", name="Northside Plumbing business").click()
        page.get_by_role("link", name="Messaging settings").click()
        page.locator("#card-rest-webhook-check").click()
        page.get_by_text("Testing…").wait_for(state="detached")
        page.wait_for_timeout(1500)
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=FOLDER / "integrations.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
