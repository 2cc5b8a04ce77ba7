"""The SMTP and LMTP listener for inbound mail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import InterfaceError, OperationalError, close_old_connections

from conversations.mail.incoming import UnknownAddress, find_connection, keep_all

logger = logging.getLogger(__name__)

MAIL_MAX_BYTES = 25 * 1024 * 1024
RECIPIENTS_MAX = 20


class Handler:
    """Says yes to a mail only when it is in the database."""

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        try:
            await asyncio.to_thread(_in_thread, find_connection, address)
        except UnknownAddress:
            return "550 5.1.1 There is no such address here"
        except (OperationalError, InterfaceError):
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await asyncio.to_thread(_in_thread, _keep, envelope)
        except UnknownAddress:
            return "550 5.1.1 There is no such address here"
        except (OperationalError, InterfaceError):
            logger.exception("a mail was put off")
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Kept"


def _in_thread(work: Any, *arguments: Any) -> Any:
    close_old_connections()
    try:
        return work(*arguments)
    finally:
        close_old_connections()


def _keep(envelope: Envelope) -> None:
    content = envelope.content or b""
    raw = content.encode() if isinstance(content, str) else content
    keep_all(envelope_from=envelope.mail_from or "", recipients=envelope.rcpt_tos, raw=raw)


class _LMTPController(Controller):
    def factory(self) -> LMTP:
        return LMTP(self.handler, **self.SMTP_kwargs)


def make_controller(host: str, port: int, *, lmtp: bool = False) -> Controller:
    """Return the listener, not yet started."""
    kind = _LMTPController if lmtp else Controller
    return kind(Handler(), hostname=host, port=port, data_size_limit=MAIL_MAX_BYTES, ident="Leadwire")
