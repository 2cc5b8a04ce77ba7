"""How many mails may come in at once, and who has to go when there are too many.

Nobody who sends is refused for the sake of somebody who does not: where there is no room, the session that has been
silent longest, or sends slowest, is closed. Its server tries again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from core.http import network_of

logger = logging.getLogger(__name__)

# A session that sends nothing costs some kilobytes, so many are let in; what costs memory is bounded by its bytes.
SESSIONS_MAX, SESSIONS_OF_A_NETWORK_MAX = 1_000, 600
IN_FLIGHT_MAX = 100 * 1024 * 1024  # bytes of mails that are not yet kept
LINE_MAX = 64 * 1024  # bytes. RFC 5321 says 1,000; programs that write HTML mails do not keep to it
SILENT_SECONDS = 2.0  # before a session may be closed for another
SLOW_SECONDS = 5.0  # before a mail may be given up for another
BUSY = "421 4.3.2 Too many connections, try again later"


class Sessions:
    """All open sessions of one listener. Used in its event loop alone."""

    def __init__(self) -> None:
        self.open: set[Guarded] = set()

    def enter(self, session: Guarded) -> bool:
        """Let a session in. False when there is no room, and nobody silent who could go."""
        of_network = [other for other in self.open if other.network == session.network]
        if len(of_network) >= SESSIONS_OF_A_NETWORK_MAX and not self._close_one(of_network):
            return False
        if len(self.open) >= SESSIONS_MAX and not self._close_one(list(self.open)):
            return False
        self.open.add(session)
        return True

    def leave(self, session: Guarded) -> None:
        self.open.discard(session)

    def has_room(self, session: Guarded) -> bool:
        """Say whether a session may go on with its mail: for the bytes, the slowest of the others may have to go."""
        while sum(other.in_flight for other in self.open) > IN_FLIGHT_MAX:
            now = time.monotonic()
            others = [
                other
                for other in self.open - {session}
                if other.in_flight and not other.is_busy and now - other.began > SLOW_SECONDS
            ]
            if not others:
                return False
            self._close(min(others, key=lambda other: other.in_flight / (now - other.began)))
        return True

    def _close_one(self, among: list[Guarded]) -> bool:
        now = time.monotonic()
        silent = [other for other in among if not other.is_busy and now - other.heard_at > SILENT_SECONDS]
        if not silent:
            return False
        self._close(min(silent, key=lambda other: other.heard_at))
        return True

    def _close(self, session: Guarded) -> None:
        self.leave(session)
        session.hang_up()


class Guarded(SMTP):
    """A session that counts what it takes."""

    line_length_limit = LINE_MAX

    def __init__(self, *args: Any, sessions: Sessions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sessions = sessions
        self.network = ""
        self.heard_at = self.began = time.monotonic()
        self.in_flight = 0  # bytes of the mail that it is sending
        self.is_receiving = False
        self.is_busy = False  # we are keeping its mail, and it waits for our answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.network = network_of(peer[0]) if isinstance(peer, tuple) else ""
        super().connection_made(transport)
        if not self.sessions.enter(self):
            self.hang_up()

    def connection_lost(self, error: Exception | None) -> None:
        self.sessions.leave(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        if self.is_receiving:
            self.in_flight += len(data)
            if not self.sessions.has_room(self):
                logger.warning("a mail from %s was put off: %d bytes are in flight", self.network, IN_FLIGHT_MAX)
                self.hang_up()
                return
        super().data_received(data)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  aiosmtpd's name
        self.is_receiving, self.began, self.in_flight = True, time.monotonic(), 0
        try:
            await super().smtp_DATA(arg)
        finally:
            self.is_receiving = self.is_busy = False
            self.in_flight = 0

    def hang_up(self) -> None:
        """Say why, and close without waiting."""
        transport: Any = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(f"{BUSY}\r\n".encode())
            transport.close()


class GuardedLMTP(Guarded, LMTP):
    """The same for a mail server in front of us."""


def is_our_own(network: str) -> bool:
    """True for a mail server beside us, that hands over what others sent: how much that is, is for it to say."""
    try:
        return ipaddress.ip_network(network).is_private
    except ValueError:
        return True
