"""How mails of a connection begin and end: sender's name, Reply-To, signature."""

from __future__ import annotations

from typing import TypedDict

from django.db import transaction

from accounts.actors import Actor
from core.mime.html import safe_html
from core.mime.inlining import with_inlined_styles
from core.mime.text import words_of_html
from messaging.models import ChannelConnection, MailSettings
from messaging.services import record

TEXT_MAX, HTML_MAX = 2_000, 20_000  # characters
MARK = "-- "  # before a signature, on a line of its own (RFC 3676, 4.3): mail programs fold what follows


class MailValues(TypedDict, total=False):
    """What is changed."""

    sender_name: str
    reply_to: str
    signature_text: str
    signature_html: str


def mail_settings_of(connection: ChannelConnection) -> MailSettings:
    """Return the mail settings of a connection, empty ones where nobody chose any."""
    return getattr(connection, "mail_settings", None) or MailSettings(connection=connection)


@transaction.atomic
def change_mail_settings(*, connection: ChannelConnection, actor: Actor, values: MailValues) -> MailSettings:
    """Store what is given. HTML is made harmless; of a signature that is only HTML the plain one is its words."""
    row = mail_settings_of(connection)
    before = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    row.signature_html = safe_html(with_inlined_styles(row.signature_html)).strip()
    if row.signature_html and not row.signature_text.strip():
        row.signature_text = words_of_html(row.signature_html)[:TEXT_MAX]
    row.save()
    after = {name: getattr(row, name) for name in values}
    record(actor, "channel.mail", connection, before=before, after=after)
    return row


def with_signature(text: str, row: MailSettings) -> str:
    """Return the plain text of a mail with its signature."""
    signature = row.signature_text.strip("\n")
    return f"{text}\n\n{MARK}\n{signature}" if signature.strip() else text
