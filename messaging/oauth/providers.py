"""Mailboxes at providers where one signs in instead of entering a password."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from messaging.base import Setting
from messaging.mailbox.provider import FIRST_DAYS, Mailbox


class ConsentMailbox(Mailbox):
    """A mailbox that its owner lets us use on the provider's own page (OAuth 2.0)."""

    needs_consent = True
    settings = (
        Setting("refresh_token", "Permission", is_secret=True, is_granted=True, max_length=4_000),
        FIRST_DAYS,
    )  # fmt: skip

    @property
    def title(self) -> str:
        return f"email by {self.label}"

    @property
    def is_offered(self) -> bool:
        return bool(settings.OAUTH_MAILBOXES[self.slug]["client_id"])

    def fixed_settings(self) -> Mapping[str, str]:
        servers: Mapping[str, str] = settings.OAUTH_MAILBOXES[self.slug]["servers"]
        return servers


class GoogleMailbox(ConsentMailbox):
    slug, label = "google", "Google"


class MicrosoftMailbox(ConsentMailbox):
    slug, label = "microsoft", "Microsoft 365"
