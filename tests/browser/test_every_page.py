"""Each page passes axe and does not scroll sideways."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.steps import make_webhook, source_id

pytestmark = pytest.mark.browser
PATHS = ["/inbox/", "/leads/", "/sources/", "/activity/", "/settings/members/", "/settings/tokens/", "/settings/audit/",
         "/settings/saved-replies/", "/settings/saved-replies/new/",
         "/settings/webhooks/", "/settings/webhooks/new/", "/settings/channels/", "/settings/channels/new/?provider=twilio", "/settings/channels/new/?provider=smtp",
        "/settings/channels/new/?provider=postmark", "/inbox/?q=nobody%20here", "/settings/channels/new/?provider=ses",
         "/settings/consent/", "/leads/import/", "/settings/agents/", "/activity/calls/",
         "/settings/account/", "/sources/new/", "/accounts/password/change/", "/accounts/2fa/"]  # fmt: skip


def pages_of(page: Page) -> list[str]:
    """Every kind of page, with real ids."""
    page.goto("/inbox/?state=all")
    conversation = page.get_by_role("link", name=re.compile("Noah Kowalski")).get_attribute("href") or ""
    page.goto("/leads/")
    lead = page.locator("main table a").first.get_attribute("href") or ""
    riverside = source_id(page, "Riverside")
    page.goto("/activity/")
    delivery = page.locator("main table a").first.get_attribute("href") or ""
    source = f"/sources/{riverside}/"
    tab = f"{source}messaging/integrations/"
    page.goto(f"{tab}rest-webhook/replays/")
    page.get_by_label("From").fill("2026-01-01T00:00")
    page.get_by_role("button", name="Preview").click()
    replay = page.url
    business = f"/sources/{source_id(page, 'Northside Plumbing')}/messaging/integrations/rest-webhook/locations/"
    webhook = make_webhook(page, "Warehouse")
    page.goto(f"{source}messaging/channels/")
    mail = page.get_by_role("link", name="Sender and signature").first.get_attribute("href") or ""
    page.goto("/settings/channels/")
    number = page.get_by_role("link", name="Main line").get_attribute("href") or ""
    page.goto(tab)
    page.get_by_role("button", name="Send a test lead").click()
    return [*PATHS, conversation, lead, delivery, source, f"{source}edit/", f"{source}archive/",
            f"{source}messaging/channels/", f"{source}messaging/timing/", tab, f"{tab}rest-webhook/health/", f"{tab}rest-webhook/replays/", replay,
            business, mail, number, f"{number}edit/", f"{number}remove/", "/demo/phone/", webhook, f"{webhook}edit/", f"{webhook}delete/", f"{webhook}replays/", page.url]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_passes_axe(page, scheme):
    page.emulate_media(color_scheme=scheme)
    axe = Axe()
    for path in pages_of(page):
        page.goto(path)
        report = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert report.violations_count == 0, f"{path} ({scheme}): {report.generate_report()}"


@pytest.mark.parametrize("width", [320, 768])
def test_no_page_scrolls_sideways(page, width):
    paths = pages_of(page)
    page.set_viewport_size({"width": width, "height": 900})
    for path in paths:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
