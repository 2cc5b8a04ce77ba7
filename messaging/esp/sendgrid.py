"""Mail by SendGrid: https://www.twilio.com/docs/sendgrid/api-reference"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from anymail.backends.sendgrid import EmailBackend
from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings

from messaging.base import Account, Setting
from messaging.call_parts import InboundEmail, ProviderCall
from messaging.esp.calls import inbound_email, json_of, object_of, request_of
from messaging.esp.forms import form_fields
from messaging.esp.provider import INBOUND_ADDRESS, REGION, VERIFIED, WEBHOOK_PASSWORD, Esp, over_http
from messaging.failures import NotSent

logger = logging.getLogger(__name__)


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

    def events(self, account: Account, call: ProviderCall) -> Iterable[Any]:
        """One odd event of a batch does not take the others along."""
        view, told = SendGridTrackingWebhookView(webhook_secret=VERIFIED), json_of(call.body)
        for event in told if isinstance(told, list) else [told]:
            try:
                yield view.esp_to_anymail_event(event)
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
                logger.info("an event of SendGrid was not understood")

    def is_mail(self, call: ProviderCall) -> bool:
        return call.content_type.lower().startswith("multipart/form-data")

    def verify(self, account: Account, call: ProviderCall) -> bool:
        """By the password, and events by their signature too where SendGrid signs them."""
        if not super().verify(account, call):
            return False
        key = account.settings.get("verification_key")
        if not key or self.is_mail(call):
            return True
        try:
            view = SendGridTrackingWebhookView(webhook_secret=VERIFIED, tracking_webhook_verification_key=key)
            SendGridTrackingWebhookView.validate_request(view, request_of(call))
        except (AnymailWebhookValidationFailure, ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
            return False
        return True

    def whole_mail(self, account: Account, call: ProviderCall) -> InboundEmail | None:
        fields = form_fields(call, "email", "envelope")
        if "email" not in fields:
            return None
        envelope = object_of(fields.get("envelope", b"{}"))
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
