"""Mail by the business's own mailbox."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from typing import ClassVar

from core.smtp import AccountBackend
from messaging.base import Account, Limits, Outgoing, Provider, Setting
from messaging.email.sending import build
from messaging.email.transports import as_not_sent, send_by
from messaging.mailbox.inbox import Failure, Inbox, in_words
from messaging.mailbox.places import for_reading, for_sending

CHECK_SECONDS = 8.0  # a person waits
HOST = r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
# https://support.google.com/a/answer/166852 and
# https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description
KNOWN_LIMITS = {
    "smtp.gmail.com": Limits(per_day=2_000),
    "smtp.office365.com": Limits(per_second=0.5, per_day=10_000),
}
PERSONAL_GMAIL = ("@gmail.com", "@googlemail.com")


FIRST_DAYS = Setting(
    "first_days",
    "Days of old mail to read at first",
    "Empty: only mails that arrive from now on.",
    r"[1-9]\d?",
    "7",
    max_length=2,
    is_required=False,
)


class Mailbox(Provider):
    slug, label, channel = "smtp", "your mail server", "email"
    address_label = "Mail address"
    is_called = False
    may_send_again = True  # each copy has the same Message-ID
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("username", "User name", "Empty: the mail address.", max_length=320, is_required=False),
        Setting("password", "Password", "Many providers want an app password here, and not the one you log in with.",
                is_secret=True),
        Setting("smtp_host", "Server for sending (SMTP)", "Your provider's help calls it the outgoing server.", HOST,
                "smtp.example.com", max_length=253, is_server=True),
        Setting("smtp_port", "Port for sending", "Empty: 587.", PORT, "587", max_length=5, is_required=False),
        Setting("imap_host", "Server for reading (IMAP)",
                "Your provider's help calls it the incoming server. Empty: Leadwire only sends by this mailbox, and"
                " leads answer to Leadwire's own address.", HOST, "imap.example.com", max_length=253,
                is_server=True, is_required=False),
        Setting("imap_port", "Port for reading", "Empty: 993.", PORT, "993", max_length=5, is_required=False),
        FIRST_DAYS,
    )  # fmt: skip
    steps = ("Send a mail to this address from another account: it arrives in the Inbox.",)

    def send(self, account: Account, message: Outgoing) -> str:
        send_by(build(message), for_sending(account), _connect(account))
        return ""  # its Message-ID is made from our own

    def answers_to(self, account: Account) -> str:
        return account.address if for_reading(account) else ""

    def limits(self, account: Account) -> Limits:
        host = account.settings.get("smtp_host", "").lower()
        if host == "smtp.gmail.com" and account.address.endswith(PERSONAL_GMAIL):
            return Limits(per_day=500)
        return KNOWN_LIMITS.get(host, Limits())

    def check(self, account: Account) -> str:
        transport = _connect(account, is_patient=False)()
        try:
            transport.open()
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise as_not_sent(error) from error
        finally:
            transport.hang_up()
        place = for_reading(account)
        if place is None:
            return "The server for sending takes the user name and the password."
        try:
            inbox = Inbox(place)
        except (*Failure, UnicodeError) as error:
            raise in_words(error) from error
        try:
            count = inbox.select_folder("INBOX", readonly=True).get(b"EXISTS", 0)
        except Failure as error:
            raise in_words(error) from error
        finally:
            inbox.hang_up()
        return f"Both servers take the user name and the password. The mailbox has {count:,} mails."


def _connect(account: Account, *, is_patient: bool = True) -> Callable[[], AccountBackend]:
    def connect() -> AccountBackend:
        place = for_sending(account)
        return AccountBackend(
            host=place.host,
            port=place.port,
            username=place.username,
            password=place.password,
            token=place.token,
            use_ssl=place.begins_with_tls,
            use_tls=False,
            timeout=None if is_patient else CHECK_SECONDS,
            is_patient=is_patient,
        )

    return connect
