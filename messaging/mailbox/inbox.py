"""An inbox by IMAP (RFC 9051): the library's client, dialled through our guard, and bounded."""

from __future__ import annotations

import contextlib
import imaplib
import select
import socket
import time
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from core.dialling import dial, is_on_this_machine, tls
from core.ssrf_guard import AddressForbidden
from messaging.failures import NotSent
from messaging.mailbox.places import Place

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
LITERAL_MAX = 32 * 1024 * 1024  # bytes of one part of an answer; a mail is asked for up to 25 MB
WHOLE_SECONDS, WHOLE_MAX = 300.0, 64 * 1024 * 1024  # of one answer

Failure = (IMAPClientError, imaplib.IMAP4.error, OSError)


class NoTls(OSError):
    """The server would have us send the password in the clear."""


class _Wire(imaplib.IMAP4):
    """The connection itself."""

    def __init__(self, place: Place, seconds: float) -> None:
        self.place, self.seconds = place, seconds
        self.begin()
        super().__init__(place.host, place.port, timeout=seconds)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        dialled = dial(self.place.host, self.place.port, self.seconds)
        if not self.place.begins_with_tls:
            return dialled
        return tls().wrap_socket(dialled, server_hostname=self.place.host)

    def begin(self) -> None:
        """Begin to wait for an answer. One that never ends would hold a thread for ever, and fill our memory."""
        self.ends_at, self.room = time.monotonic() + WHOLE_SECONDS, WHOLE_MAX

    def _command(self, name: str, *arguments: Any) -> Any:
        self.begin()
        return super()._command(name, *arguments)  # type: ignore[misc]

    def readline(self) -> bytes:
        line = super().readline()
        self._count(len(line))
        return line

    def _count(self, size: int) -> None:
        self.room -= size
        if self.room < 0 or time.monotonic() > self.ends_at:
            raise self.abort("The server's answer does not end.")

    def read(self, size: int) -> bytes:
        """Read a part of an answer. A server that announces a giant one would fill our memory."""
        if size > LITERAL_MAX:
            raise self.abort(f"The server answers with {size:,} bytes at once.")
        self._count(size)
        return super().read(size)


class Inbox(IMAPClient):
    """A client that is logged in."""

    def __init__(self, place: Place) -> None:
        """Raise one of `Failure`."""
        self.place = place
        super().__init__(place.host, place.port, ssl=False, timeout=SocketTimeout(CONNECT_SECONDS, ANSWER_SECONDS))
        try:
            self._log_in()
        except BaseException:
            self.hang_up()
            raise

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  the library's name
        return _Wire(self.place, CONNECT_SECONDS)

    def _poll_socket(self, sock: socket.socket, timeout: float | None = None) -> Any:
        """Say whether there is something to read. What came along with an earlier answer waits in a buffer."""
        return [(0, select.POLLIN)] if timeout == 0 else super()._poll_socket(sock, timeout)

    def idle_check(self, timeout: float | None = None) -> Any:
        self._imap.begin()
        return super().idle_check(timeout)

    def idle_done(self) -> Any:
        self._imap.begin()
        return super().idle_done()

    def _log_in(self) -> None:
        if not self.place.begins_with_tls:
            if self.has_capability("STARTTLS"):
                self.starttls(tls())
            elif not is_on_this_machine(self.socket()):
                raise NoTls("The mail server offers no TLS, so the password would be readable.")
        if self.place.token:
            self.oauth2_login(self.place.username, self.place.token)
            return
        # LOGIN takes ASCII only; PLAIN takes any password (RFC 4616).
        log_in = self.plain_login if self.has_capability("AUTH=PLAIN") else self.login
        log_in(self.place.username, self.place.password)

    def hang_up(self) -> None:
        """Close without waiting for anybody. A thread that reads is ended first, for closing would wait for it."""
        for close in (lambda: self.socket().shutdown(socket.SHUT_RDWR), self.shutdown):
            with contextlib.suppress(*Failure, AttributeError):
                close()


def in_words(error: BaseException) -> NotSent:
    """Say what is wrong with a mailbox, and what to do."""
    if isinstance(error, LoginError):
        detail = (
            f"The server for reading refuses the user name or the password. Enter the current ones. It said: {error}"
        )
    elif isinstance(error, AddressForbidden):
        detail = "The server for reading is not a public one."
    elif isinstance(error, UnicodeError):
        detail = "The server for reading takes only plain letters in the user name and the password."
    else:
        detail = f"The server for reading cannot be used: {error or type(error).__name__}"
    return NotSent("channel.failed", " ".join(detail.split())[:300], is_permanent=False)
