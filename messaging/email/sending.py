"""Mail to leads over SMTP."""

from __future__ import annotations

import smtplib
from collections import deque
from email.utils import format_datetime

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from core.smtp import NotConfirmed, PatientBackend, patient_connection, reply_of
from messaging.base import Account, NotSent, Outgoing, Provider

_idle: deque[PatientBackend] = deque()  # connections that wait for the next mail


class InstallationMail(Provider):
    """Mail through the installation's own server (EMAIL_URL)."""

    slug, label, channel = "installation", "This installation's mail", "email"
    is_built_in = True
    may_send_again = True  # each copy has the same Message-ID

    def send(self, account: Account, message: Outgoing) -> str:
        """Send one mail on an SMTP connection that no other thread uses at the same time."""
        mail = build(message)
        transport = _take()
        try:
            sent = transport.send_messages([mail])
        except Exception as error:
            _hang_up(transport)
            raise as_not_sent(error) from error
        if isinstance(transport, PatientBackend):
            _idle.append(transport)
        if not sent:
            raise NotSent("channel.failed", "The mail server took no recipient.", is_permanent=True)
        return ""  # its Message-ID is made from our own


def build(message: Outgoing) -> EmailMultiAlternatives:
    """Return the mail: plain text, a simple HTML part, and the headers that keep it in its thread."""
    headers = {"Message-ID": message.message_id, "Date": format_datetime(timezone.now()), "Reply-To": message.reply_to}
    if message.references:
        headers["In-Reply-To"] = message.references[-1]
        headers["References"] = " ".join(message.references)
    if message.is_from_a_program:  # what a program says, programs should not answer
        headers["X-Auto-Response-Suppress"] = "All"
    if message.is_automatic:  # RFC 3834, 5
        headers["Auto-Submitted"] = "auto-replied"
    if message.unsubscribe_url:  # RFC 8058, 3.1: one click, without a page
        headers["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        from_email=_sender(message.sender_name, message.sender_address),
        to=[message.to],
        headers=headers,
    )
    mail.attach_alternative(message.html, "text/html")
    return mail


def _sender(name: str, address: str) -> str:
    plain = " ".join("".join(c for c in name if c.isprintable()).replace('"', "'").replace("\\", "/").split())
    return f'"{plain}" <{address}>'


def _take() -> BaseEmailBackend:
    """Return an open connection, one that waits and still lives if there is one."""
    while _idle:
        try:
            waiting = _idle.pop()
        except IndexError:  # another thread was faster
            break
        if waiting.is_alive():
            return waiting
        waiting.hang_up()
    opened = patient_connection()
    try:
        opened.open()
    except Exception as error:
        raise as_not_sent(error) from error
    return opened


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
    if 500 <= code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError):
        return NotSent("channel.refused", f"The mail server refused it: {answer}", is_permanent=True)
    return NotSent("channel.failed", f"The mail server could not take it yet: {answer}", is_permanent=False)
