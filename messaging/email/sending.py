"""Mail to leads over SMTP."""

from __future__ import annotations

from email.utils import format_datetime

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from core.smtp import patient_connection
from messaging.base import Account, Outgoing, Provider
from messaging.email.transports import send_by
from messaging.files.kinds import UNKNOWN


class InstallationMail(Provider):
    """Mail through the installation's own server (EMAIL_URL)."""

    slug, label, channel = "installation", "This installation's mail", "email"
    is_built_in = True
    may_send_again = True  # each copy has the same Message-ID

    def send(self, account: Account, message: Outgoing) -> str:
        send_by(build(message), self.slug, patient_connection)
        return ""  # its Message-ID is made from our own


def build(message: Outgoing) -> EmailMultiAlternatives:
    """Return the mail: plain text, a simple HTML part, and the headers that keep it in its thread."""
    headers = {"Message-ID": message.message_id, "Date": format_datetime(timezone.now()), "Reply-To": message.reply_to}
    sender = _sender(message.sender_name, message.sender_address)
    if message.return_path:  # else the envelope has the sender's address
        headers["From"] = sender
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
        from_email=message.return_path or sender,
        to=[message.to],
        headers=headers,
    )
    mail.attach_alternative(message.html, "text/html")
    for file in message.files:
        # A text that begins like a mail would be taken apart and written anew.
        kind = UNKNOWN if file.content_type.startswith("message/") else file.content_type
        mail.attach(file.name, file.read(), kind)
    return mail


def _sender(name: str, address: str) -> str:
    plain = " ".join("".join(c for c in name if c.isprintable()).replace('"', "'").replace("\\", "/").split())
    return f'"{plain}" <{address}>'
