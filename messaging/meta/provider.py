"""WhatsApp by Meta's Cloud API: send, and understand what it reports and brings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.base import Account, Limits, Outgoing, OutgoingFile, PairLimit, Provider, Setting, Template
from messaging.call_parts import Part, ProviderCall
from messaging.failures import NotSent, may_have_been_sent
from messaging.files.fetching import fetch_file
from messaging.meta.errors import explain
from messaging.meta.media import is_address_of_media, media_body, upload_body
from messaging.meta.reading import read_call
from messaging.meta.signature import is_signed
from messaging.meta.templates import read_templates

JSON = "application/json"
TEMPLATE_PAGES_MAX = 50
TEMPLATES_AT_ONCE = 100
BYTES_A_SECOND = 250_000  # of a file; slower lines are given up
SEND_SECONDS, ASK_SECONDS = 20.0, 8.0  # a person waits for what is asked


class Meta(Provider):
    slug, label, channel = "meta", "Meta", "whatsapp"
    address_label = "Phone number"
    account_setting = "phone_number_id"
    pair_limit = PairLimit(seconds=6, burst=45)
    settings = (
        Setting("phone_number_id", "Phone number ID", "In Meta's app dashboard under WhatsApp, API setup.", r"\d{5,25}",
                "106540352242922"),
        Setting("business_account_id", "WhatsApp Business Account ID", "Beside the phone number ID.", r"\d{5,25}",
                "102290129340398"),
        Setting("access_token", "Access token", "Of a system user, so that it does not end: with the permissions"
                " whatsapp_business_messaging and whatsapp_business_management.", r"[\x21-\x7e]+", "", 1_000,
                is_secret=True),
        Setting("app_secret", "App secret", "In Meta's app dashboard under App settings, Basic.", r"[\x21-\x7e]+", "",
                is_secret=True),
    )  # fmt: skip
    steps = (
        "In Meta's app dashboard, open WhatsApp, Configuration, and choose Edit beside Webhook.",
        "As Callback URL paste this address, and as Verify token its last part, without the slashes.",
        "Under Webhook fields, subscribe to “messages”.",
        "Then send a WhatsApp message from your own phone to the number: it arrives here.",
    )

    def send(self, account: Account, message: Outgoing) -> str:
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.to.lstrip("+"),
            "biz_opaque_callback_data": message.reference,
        }
        if message.template:
            body |= {"type": "template", "template": _template(message)}
        elif message.files:
            media_id = self._upload(account, message.files[0])
            body |= media_body(message.files[0], media_id, message.text)
        else:
            body |= {"type": "text", "text": {"body": message.text, "preview_url": False}}
        try:
            path = f"/{account.settings['phone_number_id']}/messages"
            answer = self._call("POST", account, path, json.dumps(body).encode())
        except NotAnswered as error:
            raise may_have_been_sent("WhatsApp did not confirm it") from error
        if answer.status != 200:
            raise _failure(answer)
        messages = answer.json.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        provider_id = first.get("id") if isinstance(first, dict) else None
        if not isinstance(provider_id, str) or not provider_id:
            raise may_have_been_sent("WhatsApp's answer names no message")
        return provider_id[:255]

    def limits(self, account: Account) -> Limits:
        """https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput"""
        return Limits(per_second=80)

    def check(self, account: Account) -> str:
        fields = "display_phone_number,verified_name,quality_rating"
        answer = self._ask(account, f"/{account.settings['phone_number_id']}?fields={fields}")
        name, number = answer.json.get("verified_name", ""), answer.json.get("display_phone_number", "")
        quality = str(answer.json.get("quality_rating", "")).lower()
        rated = f" Its quality is rated {quality}." if quality in ("yellow", "red") else ""
        return f"WhatsApp knows the number {number} as “{str(name)[:100]}”.{rated}"

    def templates(self, account: Account) -> list[Template]:
        path = f"/{account.settings['business_account_id']}/message_templates?limit={TEMPLATES_AT_ONCE}"
        found, after = [], ""
        for _ in range(TEMPLATE_PAGES_MAX):
            answer = self._ask(account, f"{path}&after={after}" if after else path)
            found += read_templates(answer.json)
            paging = answer.json.get("paging")
            cursors = paging.get("cursors") if isinstance(paging, dict) and paging.get("next") else None
            after = str(cursors.get("after", "")) if isinstance(cursors, dict) else ""
            if not after.isalnum():
                break
        return found

    def fetch(self, account: Account, media_id: str) -> bytes:
        """In two steps, both with the token: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media"""
        if not media_id.isalnum():
            raise NotSent("channel.failed", "This is no id of a file at WhatsApp.", is_permanent=True)
        url = self._ask(account, f"/{media_id}").json.get("url")
        if not isinstance(url, str) or not is_address_of_media(url):
            raise NotSent("channel.failed", "WhatsApp does not say where the file is.", is_permanent=False)
        return fetch_file(url, self._authorization(account), "WhatsApp")

    def _upload(self, account: Account, file: OutgoingFile) -> str:
        """Hand a file over. Nobody sees it before a message names it, so it may be done again."""
        path = f"/{account.settings['phone_number_id']}/media"
        content_type, body = upload_body(file)
        try:
            answer = self._call("POST", account, path, content=body, content_type=content_type)
        except NotAnswered as error:
            raise NotSent("channel.failed", "WhatsApp did not take the file.", is_permanent=False) from error
        media_id = answer.json.get("id")
        if answer.status != 200 or not isinstance(media_id, str):
            raise _failure(answer)
        return media_id

    def _authorization(self, account: Account) -> dict[str, str]:
        return {"Authorization": f"Bearer {account.settings['access_token']}"}

    def _ask(self, account: Account, path: str) -> Answer:
        try:
            answer = self._call("GET", account, path)
        except NotAnswered as error:
            raise NotSent("channel.failed", f"WhatsApp did not answer: {error}", is_permanent=False) from error
        if answer.status != 200:
            raise _failure(answer)
        return answer

    def _call(
        self, method: str, account: Account, path: str, content: bytes | None = None, content_type: str = JSON
    ) -> Answer:
        headers = self._authorization(account)
        if content is not None:
            headers["Content-Type"] = content_type
        try:
            seconds = ASK_SECONDS if content is None else SEND_SECONDS + len(content) / BYTES_A_SECOND
            return call(method, f"{settings.LEADWIRE_META_URL}{path}", headers=headers, body=content, seconds=seconds)
        except NotConnected as error:
            raise NotSent("channel.failed", f"WhatsApp could not be reached: {error}", is_permanent=False) from error

    def verify(self, account: Account, call: ProviderCall) -> bool:
        return is_signed(call.body, call.headers.get("X-Hub-Signature-256", ""), account.settings["app_secret"])

    def challenge(self, account: Account, query: Mapping[str, str]) -> str | None:
        """Meta tries the address with the verify token before it uses it."""
        token = account.callback_url.rstrip("/").rpartition("/")[2]
        is_ours = query.get("hub.mode") == "subscribe" and query.get("hub.verify_token") == token
        return query.get("hub.challenge", "")[:200] if is_ours else None

    def parse(self, account: Account, call: ProviderCall) -> Iterable[Part]:
        return read_call(call.body)


def _template(message: Outgoing) -> dict[str, Any]:
    """A template as the API takes it: https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-message-templates"""
    template = message.template
    assert template is not None  # noqa: S101  the caller looked
    shown: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    if template.variables:
        parameters = [
            {"type": "text", "text": text} | ({"parameter_name": name} if name else {})
            for name, text in zip(template.names or [""] * len(template.variables), template.variables, strict=True)
        ]
        shown["components"] = [{"type": "body", "parameters": parameters}]
    return shown


def _failure(answer: Answer) -> NotSent:
    error = answer.json.get("error")
    error = error if isinstance(error, dict) else {}
    data = error.get("error_data")
    details = data.get("details", "") if isinstance(data, dict) else ""
    code = error.get("code")
    words = str(details or error.get("message", ""))
    return explain(code if isinstance(code, int) else 0, words, answer.status, answer.retry_after)
