"""Mail to leads over SMTP."""

from __future__ import annotations

import smtplib
from collections import deque
from email.utils import format_datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import timezone

from conversations.channels.base import Channel, NotSent
from conversations.models import Conversation, Message
from core.smtp import NotConfirmed, PatientBackend, patient_connection, reply_of

REFERENCES_KEPT = 20
_idle: deque[PatientBackend] = deque()  # connections that wait for the next mail


def message_id_of(message: Message) -> str:
    """The Message-ID of a mail of ours (RFC 5322, 3.6.4), the same however often it is sent."""
    return f"<{message.public_id}@{settings.MAIL_DOMAIN}>"


class Email(Channel):
    slug, label, max_length = "email", "Email", 10_000

    def send(self, message: Message) -> None:
        """Send one mail on an SMTP connection that no other thread uses meanwhile."""
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


def build(message: Message) -> EmailMultiAlternatives:
    """Return the mail: plain text, a simple HTML part, and the headers that keep it in its thread."""
    conversation, connection = message.conversation, message.connection
    if connection is None:
        raise NotSent("channel.failed", "The message has no channel.", is_permanent=True)
    parents = _mail_ids_before(message)
    subject = _subject(conversation)
    headers = {
        "Message-ID": message_id_of(message),
        "Date": format_datetime(timezone.now()),
        "Reply-To": conversation.reply_address,
    }
    if parents:
        headers["In-Reply-To"] = parents[-1]
        headers["References"] = " ".join(parents)
    if message.author != Message.Author.STAFF:  # what a program says, programs should not answer
        headers["X-Auto-Response-Suppress"] = "All"
    if message.author == Message.Author.AUTOMATION:  # RFC 3834, 5
        headers["Auto-Submitted"] = "auto-replied"
    mail = EmailMultiAlternatives(
        subject=f"Re: {subject}" if parents else subject,
        body=message.content,
        from_email=_sender(connection.name, connection.address),
        to=[message.lead.email],
        headers=headers,
    )
    mail.attach_alternative(render_to_string("mail/message.html", {"message": message}), "text/html")
    return mail


def _subject(conversation: Conversation) -> str:
    """Who wrote by a form without a subject gets one of ours: their own first words would read oddly there."""
    title = " ".join(conversation.title.split())
    first = Message.objects.filter(conversation=conversation).order_by("id").only("content").first()
    if first and " ".join(first.content.split()).startswith(title.rstrip("…")):
        return " ".join(f"Your message to {conversation.source.name}".split())
    return title


def _mail_ids_before(message: Message) -> list[str]:
    """Message-IDs of the thread so far, oldest first."""
    before = Message.objects.filter(
        conversation=message.conversation_id, id__lt=message.pk, connection__kind="email", is_automatic=False
    ).exclude(status=Message.Status.FAILED)
    newest = before.order_by("-id").only("id", "external_id", "direction")[:REFERENCES_KEPT]
    ids = [one.external_id if one.is_inbound else message_id_of(one) for one in reversed(newest)]
    return [one for one in ids if one.startswith("<") and one.endswith(">") and one.isascii() and " " not in one]


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
    said = f"{code} {text}".strip() if code else (text or type(error).__name__)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return NotSent("channel.refused", str(error), is_permanent=True)
    if isinstance(error, UnicodeError | ValueError):
        return NotSent("channel.failed", f"This mail cannot be written: {error}", is_permanent=True)
    if 500 <= code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError):
        return NotSent("channel.refused", f"The mail server refused it: {said}", is_permanent=True)
    return NotSent("channel.failed", f"The mail server could not take it yet: {said}", is_permanent=False)
