"""Where a mailbox is, read from the settings of its account."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.base import Account

SUBMISSION, SUBMISSION_OVER_TLS = 587, 465  # RFC 6409, RFC 8314
IMAP, IMAP_OVER_TLS = 143, 993


@dataclass(frozen=True)
class Place:
    """A server and who logs in there."""

    host: str
    port: int
    username: str
    password: str
    token: str  # in place of a password (XOAUTH2)
    begins_with_tls: bool  # else STARTTLS

    def __str__(self) -> str:
        return f"{self.username} at {self.host.lower()}"


def for_sending(account: Account) -> Place:
    port = int(account.settings.get("smtp_port") or SUBMISSION)
    return _place(account, "smtp_host", port, begins_with_tls=port == SUBMISSION_OVER_TLS)


def for_reading(account: Account) -> Place | None:
    """None where the account only sends."""
    if not account.settings.get("imap_host"):
        return None
    port = int(account.settings.get("imap_port") or IMAP_OVER_TLS)
    return _place(account, "imap_host", port, begins_with_tls=port == IMAP_OVER_TLS)


def _place(account: Account, host: str, port: int, *, begins_with_tls: bool) -> Place:
    settings = account.settings
    username = settings.get("username") or account.address
    password, token = settings.get("password", ""), settings.get("access_token", "")
    return Place(settings[host], port, username, password, token, begins_with_tls)
