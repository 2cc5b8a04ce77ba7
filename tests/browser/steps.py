"""What a person does in the browser, step by step, and what the tests look up beside it."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from email import message_from_bytes, policy

from playwright.sync_api import Page, expect

WEBHOOK, REPLY_API = "#card-rest-webhook", "#card-lead-reply-api"


def call(stack, method: str, path: str, key: str, body=None) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/v1{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else {}


def add_source(page: Page, name: str, parent: str = "") -> None:
    page.goto("/sources/")
    page.get_by_role("link", name="Add source").first.click()
    page.get_by_label("Name").fill(name)
    if parent:
        page.get_by_label("Kind").select_option(label=f"A location of {parent}")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def open_tab(page: Page, name: str) -> None:
    page.goto("/sources/")
    page.get_by_role("link", name=re.compile(f"^{name} ")).click()
    page.get_by_role("link", name="Messaging settings").click()


def set_up_reply_api(page: Page) -> str:
    page.locator(f"{REPLY_API}-set-up").click()
    key = page.locator(f"{REPLY_API}-new-secrets-1")
    expect(key).to_have_text(re.compile("^lwr_"))
    return key.inner_text()


def enable(page: Page, card: str) -> None:
    page.locator(f"{card}-switch").click()
    expect(page.locator(f"{card}-switch")).to_have_attribute("aria-checked", "true")


def send_form(stack, source: str, email: str) -> None:
    body = json.dumps({"name": "Wanda Walker", "email": email, "message": "My roof leaks."}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/forms/{source}", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201


def source_id(page: Page, name: str) -> str:
    page.goto("/sources/")
    link = page.get_by_role("link", name=re.compile(f"^{name} ")).get_attribute("href") or ""
    return link.strip("/").split("/")[-1]


def mail_to(sink, email: str, words: str, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in sink.glob("*.eml"):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            if mail["To"] == email and words in mail.get_body(("plain",)).get_content():
                return mail
        time.sleep(0.1)
    raise AssertionError(f"no mail to {email} with {words!r}")


def make_webhook(page: Page, name: str) -> str:
    """Add a webhook of the organization by the form; return its page's address."""
    page.goto("/settings/webhooks/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("URL").fill("https://crm.example.com/leadwire")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.locator("#fresh-secret")).to_be_visible()
    return f"/settings/webhooks/{page.locator('#webhook-id').inner_text()}/"
