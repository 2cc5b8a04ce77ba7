"""Mail by SendGrid: https://www.twilio.com/docs/sendgrid/api-reference"""

from __future__ import annotations

import json
from typing import Any

from anymail.backends.sendgrid import EmailBackend
from anymail.webhooks.sendgrid import SendGridInboundWebhookView, SendGridTrackingWebhookView
from django.conf import settings

from messaging.base import Account, Setting
from messaging.call_parts import InboundEmail, ProviderCall
from messaging.esp.calls import inbound_email
from messaging.esp.forms import form_fields
from messaging.esp.provider import INBOUND_ADDRESS, REGION, WEBHOOK_PASSWORD, Esp, over_http, password_of
from messaging.failures import NotSent


class SendGrid(Esp):
    slug, label = "sendgrid", "SendGrid"
    settings = (
        Setting("api_key", "API key", "In SendGrid under Settings, API keys, with the permission Mail Send.",
                r"[\x21-\x7e]+", is_secret=True),
        WEBHOOK_PASSWORD,
        Setting("verification_key", "Verification key", "Of the signed event webhook, where you turn signing on.",
                r"[A-Za-z0-9+/=]{100,200}", "MFkwEwYHKoZIzj0C… of about 124 characters", is_required=False),
        REGION,
        INBOUND_ADDRESS,
    )  # fmt: skip
    steps = (
        "In SendGrid, open Settings, Mail settings, Event webhooks, and create one with the second address.",
        "Choose Delivered, Deferred, Bounced, Dropped, Spam reports and Unsubscribed.",
        "To take mail in, open Settings, Inbound parse, add your host with the same address, and choose “POST the raw,"
        " full MIME message”.",
        "Send a test below: this page turns green when SendGrid says that it arrived.",
    )
    hardness = {"blocked": False}

    def backend(self, account: Account) -> Any:
        return over_http(EmailBackend(api_key=account.settings["api_key"], api_url=_url(account)))

    def view(self, account: Account, call: ProviderCall) -> Any:
        if self.is_mail(call):
            return SendGridInboundWebhookView(webhook_secret=password_of(account))
        key = account.settings.get("verification_key") or None
        return SendGridTrackingWebhookView(webhook_secret=password_of(account), tracking_webhook_verification_key=key)

    def is_mail(self, call: ProviderCall) -> bool:
        return call.content_type.startswith("multipart/form-data")

    def raw_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        fields = form_fields(call)
        if "email" not in fields:
            return None
        try:
            envelope = json.loads(fields.get("envelope", b"{}"))
        except ValueError:
            envelope = {}
        envelope = envelope if isinstance(envelope, dict) else {}
        recipients = envelope.get("to")
        recipient = recipients[0] if isinstance(recipients, list) and recipients else ""
        return inbound_email(fields["email"], sender=envelope.get("from"), recipient=recipient)

    def check(self, account: Account) -> str:
        headers = {"Authorization": f"Bearer {account.settings['api_key']}"}
        scopes = self.ask("GET", f"{_url(account)}/scopes", headers).json.get("scopes")
        if isinstance(scopes, list) and "mail.send" not in scopes:
            detail = "SendGrid knows the key, but it may not send mail. Give it the permission Mail Send."
            raise NotSent("channel.failed", detail, is_permanent=False)
        return "SendGrid takes the key."


def _url(account: Account) -> str:
    url: str = settings.LEADWIRE_SENDGRID_URL
    return settings.LEADWIRE_SENDGRID_EU_URL if account.settings.get("region") == "eu" else url
