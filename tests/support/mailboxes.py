"""A mailbox as a business has it: an IMAP server and an SMTP server that want a password."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from django.db import connections
from imapclient import IMAPClient

from conversations.models import Message
from conversations.services.mail import read_mail
from messaging.accounts import account_of
from messaging.email.transports import hang_up_all
from messaging.mailbox.fetching import read_new
from messaging.mailbox.inbox import Inbox
from messaging.mailbox.places import for_reading
from messaging.mailbox.watching import Watcher
from messaging.models import ChannelConnection, InboundMail, MailFolder
from messaging.registry import PROVIDERS
from messaging.services import connect
from supervisor.ports import choose
from supervisor.stack import BIN
from tests.support.mails import mail
from tests.support.receivers import MailServer

ADDRESS, PASSWORD = "sales@northside.example", "pass wörd ☃"


class ImapServer:
    """A real IMAP server (pymap) with one mailbox in memory. Started again, it is empty and numbers anew."""

    def __init__(self) -> None:
        self.port = choose()
        self.password = PASSWORD
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--no-tls", "dict"]
        words += ["--demo-user", ADDRESS, "--demo-password", self.password]
        self.process = subprocess.Popen([Path(BIN) / "pymap", *words], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                return IMAPClient("127.0.0.1", self.port, ssl=False).shutdown()
            except OSError:
                assert time.monotonic() < deadline, "the IMAP server did not start"
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def put(self, *mails: bytes) -> None:
        """Put mails into the inbox."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.plain_login(ADDRESS, self.password)
        for raw in mails:
            client.append("INBOX", raw)
        client.logout()

    def flags(self) -> list[Any]:
        """The flags of all mails in the inbox."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.plain_login(ADDRESS, self.password)
        client.select_folder("INBOX", readonly=True)
        flags = [row[b"FLAGS"] for row in client.fetch(client.search("ALL"), ["FLAGS"]).values()]
        client.logout()
        return flags


@pytest.fixture
def imap_server() -> Iterator[ImapServer]:
    server = ImapServer()
    server.start()
    yield server
    server.stop()


@dataclass
class AccountServer(MailServer):
    """The mail server of the business, which wants its password."""

    password: str = PASSWORD
    port: int = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if not session.authenticated:
            return "530 5.7.0 Log in first"
        envelope.mail_from = address
        return "250 OK"


@pytest.fixture
def smtp_account() -> Iterator[AccountServer]:
    seen = AccountServer()

    def log_in(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        is_right = (given.login.decode(), given.password.decode()) == (ADDRESS, seen.password)
        return AuthResult(success=is_right, handled=False)

    controller = Controller(
        seen,
        hostname="127.0.0.1",
        port=choose(),
        authenticator=log_in,
        auth_require_tls=False,
    )
    controller.start()
    seen.port = controller.port
    yield seen
    hang_up_all()
    controller.stop()


@pytest.fixture
def mailbox_settings(imap_server, smtp_account) -> dict[str, str]:
    """What a person fills in."""
    return {
        "password": PASSWORD,
        "smtp_host": "127.0.0.1",
        "smtp_port": str(smtp_account.port),
        "imap_host": "127.0.0.1",
        "imap_port": str(imap_server.port),
    }


@pytest.fixture
def mailbox(mailbox_settings, plumbing, actor) -> ChannelConnection:
    """A mailbox that the business uses, and its locations inherit."""
    return connect(
        source=plumbing,
        actor=actor,
        provider=PROVIDERS["smtp"],
        name="Sales",
        own_address=ADDRESS,
        settings=mailbox_settings,
    )


def look(connection: ChannelConnection) -> int:
    """Read what is new in the mailbox, as the process that watches it does."""
    place = for_reading(account_of(connection))
    assert place
    inbox = Inbox(place)
    try:
        return read_new(inbox, connection)
    finally:
        inbox.hang_up()


def understand() -> list[Message]:
    """Make sense of all mails that wait. Return all messages that came in."""
    for pk in InboundMail.objects.filter(outcome="waiting").order_by("pk").values_list("pk", flat=True):
        read_mail(pk)
    return list(Message.objects.filter(direction="inbound").order_by("pk"))


def numbered(*numbers: int) -> list[bytes]:
    """Mails that tell which one they are."""
    return [mail(f"Mail {number}", Message_ID=f"<{number}@example.net>") for number in numbers]


@pytest.fixture
def watched(monkeypatch):
    """The process that watches mailboxes, here in a thread."""
    # Its threads end with the test, so they leave no connection behind.
    monkeypatch.setattr("messaging.mailbox.watching.close_old_connections", connections.close_all)
    loop, stopping = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        loop.run_until_complete(Watcher().run(stopping))

    thread = threading.Thread(target=run)
    thread.start()
    yield
    loop.call_soon_threadsafe(stopping.set)
    thread.join(30)
    assert not thread.is_alive()
    loop.close()


def until(what, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_watched(connection: ChannelConnection) -> bool:
    return any(folder.is_watched for folder in MailFolder.objects.filter(connection=connection))
