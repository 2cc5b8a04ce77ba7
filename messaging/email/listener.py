"""The SMTP and LMTP listener for inbound mail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import InterfaceError, OperationalError, close_old_connections

from api import rates
from core.mime.text import clean
from core.problems import Refusal
from messaging.email.incoming import UnknownAddress, find_connection, keep_all
from messaging.email.sessions import Guarded, GuardedLMTP, Sessions, is_our_own

logger = logging.getLogger(__name__)

MAIL_MAX_BYTES = 25 * 1024 * 1024
RECIPIENTS_MAX = 20
PER_NETWORK, PER_CONNECTION = 120, 300  # in a minute: recipients named by one network, mails for one address of ours
LATER = "451 4.3.0 Try again later"
TOO_MANY = "451 4.7.1 Too many mails, try again later"


class Handler:
    """Says yes to a mail only when it is in the database."""

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: Guarded, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        try:
            await asyncio.to_thread(_in_thread, _admit, address, server.network)
        except UnknownAddress:
            return "550 5.1.1 There is no such address here"
        except Refusal:
            return TOO_MANY
        except (OperationalError, InterfaceError):
            return LATER
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: Guarded, session: Session, envelope: Envelope) -> str:  # noqa: N802
        server.is_busy = True
        try:
            await asyncio.to_thread(_in_thread, _keep, envelope)
        except UnknownAddress:
            return "550 5.1.1 There is no such address here"
        except Refusal:
            return TOO_MANY
        except (OperationalError, InterfaceError):
            logger.exception("a mail was put off")
            return LATER
        return "250 2.0.0 Kept"

    async def handle_exception(self, error: Exception) -> str:
        """Our mistake costs nobody a mail: the sender's server tries again."""
        logger.error("the listener failed", exc_info=error)
        return LATER


def _in_thread(work: Any, *arguments: Any) -> Any:
    close_old_connections()
    try:
        return work(*arguments)
    finally:
        close_old_connections()


def _admit(address: str, network: str) -> None:
    """Raise UnknownAddress, or Refusal where too many mails come from there."""
    if not is_our_own(network):
        rates.limit(f"mail-from:{network}", per_minute=PER_NETWORK)
    find_connection(address)


def _keep(envelope: Envelope) -> None:
    """Keep a mail. Raise Refusal where too many come for one address: whole ones, for a beginning is soon made."""
    for pk in sorted({find_connection(address).pk for address in envelope.rcpt_tos}):
        rates.limit(f"mail-to:{pk}", per_minute=PER_CONNECTION)
    content = envelope.content or b""
    raw = content.encode() if isinstance(content, str) else content
    keep_all(envelope_from=clean(envelope.mail_from or ""), recipients=envelope.rcpt_tos, raw=raw)


class _Listener(Controller):
    """One port. Its sessions know of each other."""

    def __init__(self, *args: Any, kind: type[Guarded], **kwargs: Any) -> None:
        self.kind, self.sessions = kind, Sessions()
        super().__init__(*args, **kwargs)

    def factory(self) -> SMTP:
        return self.kind(self.handler, sessions=self.sessions, **self.SMTP_kwargs)


def make_controller(host: str, port: int, *, lmtp: bool = False) -> Controller:
    """Return the listener, not yet started."""
    kind = GuardedLMTP if lmtp else Guarded
    limits = {"data_size_limit": MAIL_MAX_BYTES, "enable_SMTPUTF8": True}
    return _Listener(Handler(), hostname=host, port=port, ident="Leadwire", kind=kind, **limits)
