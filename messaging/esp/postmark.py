"""Mail by Postmark: https://postmarkapp.com/developer"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from anymail.backends.postmark import EmailBackend
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.conf import settings

from core.http_client import Answer
from messaging.base import Account, Setting
from messaging.call_parts import InboundEmail, ProviderCall
from messaging.esp.calls import inbound_email, object_of, request_of
from messaging.esp.errors import refused, words_of
from messaging.esp.provider import INBOUND_ADDRESS, VERIFIED, WEBHOOK_PASSWORD, Esp, over_http
from messaging.failures import NotSent

# https://postmarkapp.com/developer/api/overview#error-codes. Until somebody has put it right, messages wait.
ACCOUNT = {
    10: "Postmark refuses the server token. Enter the current one.",
    400: "Postmark does not know the sender. Add and confirm it there under Sender Signatures.",
    401: "The sender is not confirmed at Postmark yet. Confirm it there under Sender Signatures.",
    405: "Your Postmark account may send no more mails this month.",
    412: "Your Postmark account is not approved yet, so it sends to addresses of your own domain only.",
    413: "Your Postmark account is not approved yet.",
}


class Postmark(Esp):
    slug, label = "postmark", "Postmark"
    settings = (
        Setting("server_token", "Server API token", "In Postmark under your server, API Tokens.", r"[\x21-\x7e]+",
                is_secret=True),
        Setting("message_stream", "Message stream", "Empty: outbound.", r"[a-z0-9-]{1,30}", "outbound", max_length=30,
                is_required=False),
        WEBHOOK_PASSWORD,
        INBOUND_ADDRESS,
    )  # fmt: skip
    steps = (
        "In Postmark, open your server, the message stream by which you send, Webhooks, and add a webhook with the"
        " first address. Under Basic auth, enter the user name leadwire and the webhook password.",
        "Choose Delivery, Bounce, Spam complaint and Subscription change.",
        "To take mail in, open the inbound stream, Settings, and enter the second address. Choose “Include raw"
        " email content in JSON payload”.",
        "Send a test below: this page turns green when Postmark says that it arrived.",
    )
    more_headers = {"X-PM-KeepID": "true"}  # else Postmark gives the mail a Message-ID of its own
    hardness = {"HardBounce": True, "SoftBounce": False, "VirusNotification": False}

    def backend(self, account: Account) -> Any:
        stream = account.settings.get("message_stream") or None
        token, url = account.settings["server_token"], settings.LEADWIRE_POSTMARK_URL
        return over_http(EmailBackend(server_token=token, message_stream=stream, api_url=url))

    def events(self, account: Account, call: ProviderCall) -> Iterable[Any]:
        return list(PostmarkTrackingWebhookView(webhook_secret=VERIFIED).parse_events(request_of(call)))

    def is_mail(self, call: ProviderCall) -> bool:
        told = object_of(call.body)
        return told.get("RecordType", "Inbound") == "Inbound" and ("FromFull" in told or "RawEmail" in told)

    def whole_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        told = object_of(call.body)
        if not isinstance(told.get("RawEmail"), str):
            return None
        headers = told.get("Headers")
        first = headers[0] if isinstance(headers, list) and headers else {}
        is_return_path = isinstance(first, dict) and str(first.get("Name")).lower() == "return-path"
        return inbound_email(
            told["RawEmail"].encode("utf-8", "replace"),
            sender=first.get("Value") if is_return_path else "",
            recipient=told.get("OriginalRecipient"),
        )

    def refusal(self, answer: Answer) -> NotSent:
        code = answer.json.get("ErrorCode")
        if code in ACCOUNT:
            return NotSent("channel.failed", f"{ACCOUNT[code]} (Postmark {code})", is_permanent=False)
        return refused(self.label, answer.status, words_of(answer.json), answer.retry_after)

    def check(self, account: Account) -> str:
        headers = {"Accept": "application/json", "X-Postmark-Server-Token": account.settings["server_token"]}
        server = self.ask("GET", f"{settings.LEADWIRE_POSTMARK_URL}/server", headers).json
        return f"Postmark knows the server “{str(server.get('Name', ''))[:100]}”."
