"""SMTP connections that wait for the next mail, and mails that are sent on them."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable, Hashable

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from core.smtp import NotConfirmed, PatientBackend, reply_of
from messaging.failures import NotSent

IDLE_MAX = 64  # connections of this process
IDLE_SECONDS = 60.0  # servers hang up on those who say nothing

_lock = threading.Lock()
_idle: list[tuple[Hashable, PatientBackend, float]] = []  # whose it is, and since when it waits; the newest last


def send_by(mail: EmailMessage, account: Hashable, connect: Callable[[], BaseEmailBackend]) -> None:
    """Send one mail on a connection of the account that no other thread uses at the same time. Raise NotSent."""
    transport = _take(account, connect)
    try:
        sent = transport.send_messages([mail])
    except Exception as error:
        _hang_up(transport)
        raise as_not_sent(error) from error
    if isinstance(transport, PatientBackend):
        _give_back(account, transport)
    if not sent:
        raise NotSent("channel.failed", "The mail server took no recipient.", is_permanent=True)


def _take(account: Hashable, connect: Callable[[], BaseEmailBackend]) -> BaseEmailBackend:
    """Return an open connection, one that waits and still lives if there is one."""
    while (waiting := _waiting(account)) is not None:
        if waiting.is_alive():
            return waiting
        waiting.hang_up()
    opened = connect()
    try:
        opened.open()
    except Exception as error:
        _hang_up(opened)
        raise as_not_sent(error) from error
    return opened


def _waiting(account: Hashable) -> PatientBackend | None:
    with _lock:
        for place in reversed(range(len(_idle))):
            if _idle[place][0] == account:
                return _idle.pop(place)[1]
    return None


def _give_back(account: Hashable, transport: PatientBackend) -> None:
    """Keep a connection for the next mail, and close those that nobody has wanted for long."""
    now = time.monotonic()
    with _lock:
        _idle.append((account, transport, now))
        old = list(_idle[:-IDLE_MAX]) + [row for row in _idle[-IDLE_MAX:] if row[2] < now - IDLE_SECONDS]
        for row in old:
            _idle.remove(row)
    for _, unused, _ in old:
        unused.hang_up()


def hang_up_all() -> None:
    """Close what waits."""
    with _lock:
        waiting = [row[1] for row in _idle]
        _idle.clear()
    for transport in waiting:
        transport.hang_up()


def _hang_up(transport: BaseEmailBackend) -> None:
    if isinstance(transport, PatientBackend):
        transport.hang_up()


def as_not_sent(error: Exception) -> NotSent:
    """Tell permanent refusals from temporary ones by the reply code (RFC 5321, 4.2.1): 5yz is final, 4yz is not."""
    if isinstance(error, NotConfirmed):
        return NotSent("channel.failed", str(error), is_permanent=False, is_unknown=True)
    code, text = reply_of(error)
    answer = f"{code} {text}".strip() if code else (text or type(error).__name__)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return NotSent("channel.refused", str(error), is_permanent=True)
    if isinstance(error, UnicodeError | ValueError):
        return NotSent("channel.failed", f"This mail cannot be written: {error}", is_permanent=True)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        words = f"The mail server refuses the user name or the password. Enter the current ones. It said: {answer}"
        return NotSent("channel.failed", words, is_permanent=False)
    if 500 <= code < 600 and not isinstance(error, smtplib.SMTPConnectError):
        return NotSent("channel.refused", f"The mail server refused it: {answer}", is_permanent=True)
    return NotSent("channel.failed", f"The mail server could not take it yet: {answer}", is_permanent=False)
