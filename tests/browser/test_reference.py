"""The reference of the API in a browser: one's own key, and a real call."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_a_call_is_tried_with_ones_own_key(page: Page):
    page.goto("/settings/tokens/")
    page.get_by_label("Name").fill("Reference")
    page.get_by_role("button", name="Make token").click()
    key = page.get_by_text(re.compile("^lwa_")).first.inner_text()
    page.goto("/v1/docs")
    page.get_by_role("button", name="Authorize").click()
    page.locator(".modal-ux input").fill(key)
    page.locator(".modal-ux .authorize").click()
    page.locator(".modal-ux .btn-done").click()
    page.locator("[id$=-whoami]").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table")).to_contain_text('"name": "Reference"')
