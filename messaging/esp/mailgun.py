"""Mail by Mailgun: https://documentation.mailgun.com/docs/mailgun"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from anymail.backends.mailgun import EmailBackend
from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.conf import settings

from core.http_client import Answer
from messaging.base import Account, Setting
from messaging.call_parts import InboundEmail, ProviderCall
from messaging.esp.calls import inbound_email, object_of, request_of
from messaging.esp.forms import form_fields
from messaging.esp.provider import INBOUND_ADDRESS, REGION, Esp, over_http
from messaging.failures import NotSent, NotUnderstood
from messaging.mailbox.provider import HOST

FORM = "application/x-www-form-urlencoded"
EVENT_MAX_BYTES = 1_100_000
# Mailgun calls for 8 hours until it is answered: https://documentation.mailgun.com/docs/mailgun/user-manual/events/webhooks
SIGNED_FOR_SECONDS = 12 * 3600
SIGNED = ("timestamp", "token", "signature")  # fields of a call that show whose it is


class Mailgun(Esp):
    slug, label = "mailgun", "Mailgun"
    settings = (
        Setting("api_key", "Sending key", "In Mailgun under your domain, Sending keys. An API key works too.",
                r"[\x21-\x7e]+", is_secret=True),
        Setting("signing_key", "HTTP webhook signing key", "In Mailgun under Settings, API security.", r"[\x21-\x7e]+",
                is_secret=True),
        Setting("sending_domain", "Sending domain", "As Mailgun lists it.", HOST, "mg.example.com", max_length=253),
        REGION,
        INBOUND_ADDRESS,
    )  # fmt: skip
    steps = (
        "In Mailgun, open your domain, Webhooks, and add the first address for Delivered messages, Permanent failure,"
        " Temporary failure, Spam complaints and Unsubscribes.",
        "To take mail in, open Receiving, create a route for your address for answers, choose Forward, and enter the"
        " second address: to one that ends so, Mailgun posts whole mails.",
        "Send a test below: this page turns green when Mailgun says that it arrived.",
    )

    hardness = {"suppress-bounce": True}

    def addresses(self, callback_url: str) -> list[tuple[str, str]]:
        return [("Address for Mailgun's webhooks", callback_url), ("Address for the route", f"{callback_url}mime")]

    def backend(self, account: Account) -> Any:
        domain, key = account.settings["sending_domain"], account.settings["api_key"]
        return over_http(EmailBackend(api_key=key, sender_domain=domain, api_url=_url(account)))

    def events(self, account: Account, call: ProviderCall) -> Iterable[Any]:
        return list(_view(account).parse_events(request_of(call)))

    def is_mail(self, call: ProviderCall) -> bool:
        return not call.content_type.startswith("application/json")

    def verify(self, account: Account, call: ProviderCall) -> bool:
        """By the signature, and not for ever: Mailgun signs a time, and no content.

        Of a form with a whole mail in it only the fields that sign it are looked at.
        """
        try:
            signed = self._signed(call)
            _view(account).validate_request(request_of(signed))
            sent_at = float(form_fields(signed, "timestamp")["timestamp"])
        except (AnymailWebhookValidationFailure, NotUnderstood, ValueError, LookupError, TypeError, AttributeError):
            return False
        return abs(time.time() - sent_at) < SIGNED_FOR_SECONDS

    def _signed(self, call: ProviderCall) -> ProviderCall:
        """Return a call that has nothing but the fields that sign it."""
        if self.is_mail(call):
            fields: dict[str, Any] = dict(form_fields(call, *SIGNED))
        else:
            if len(call.body) > EVENT_MAX_BYTES:
                raise NotUnderstood("An event is not as long as this.")
            fields = object_of(call.body).get("signature") or {}
        body = urlencode([(name, fields[name]) for name in SIGNED]).encode()
        return replace(call, body=body, content_type=FORM)

    def whole_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        fields = form_fields(call, "body-mime", "sender", "recipient")
        if "body-mime" not in fields:
            return None
        sender, recipient = (fields.get(name, b"").decode("utf-8", "replace") for name in ("sender", "recipient"))
        return inbound_email(fields["body-mime"], sender=sender, recipient=recipient)

    def refusal(self, answer: Answer) -> NotSent:
        if answer.status == 404:
            detail = "Mailgun does not know the sending domain in this region. Correct one of them."
            return NotSent("channel.failed", detail, is_permanent=False)
        return super().refusal(answer)

    def check(self, account: Account) -> str:
        """Send nothing: to a known key and domain Mailgun answers which field is missing."""
        key = base64.b64encode(f"api:{account.settings['api_key']}".encode()).decode()
        headers = {"Authorization": f"Basic {key}", "Content-Type": FORM}
        url = f"{_url(account)}/{account.settings['sending_domain']}/messages"
        self.ask("POST", url, headers, taken=(400,))
        return "Mailgun takes the key and the domain."


def _view(account: Account) -> MailgunTrackingWebhookView:
    return MailgunTrackingWebhookView(webhook_signing_key=account.settings["signing_key"])


def _url(account: Account) -> str:
    url: str = settings.LEADWIRE_MAILGUN_URL
    return settings.LEADWIRE_MAILGUN_EU_URL if account.settings.get("region") == "eu" else url
