"""Mail comes in: for whom it is, and that it is kept before anybody says yes to it."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from messaging.models import ChannelConnection, InboundMail
from outbox import hints
from outbox.models import Job

WAITING_MAX = 500  # mails of one connection that nobody has made sense of yet
ADDRESS_MAX = 320  # characters: RFC 3696, errata 1690


class UnknownAddress(Exception):
    """Nobody here has this address."""


def find_connection(address: str) -> ChannelConnection:
    """Return the connection that a recipient's address belongs to. Raise UnknownAddress."""
    local_part, _, domain = address.lower().rpartition("@")
    if not address.isascii() or not address.isprintable() or len(address) > ADDRESS_MAX:
        raise UnknownAddress(address)
    if domain != settings.MAIL_DOMAIN.lower():
        raise UnknownAddress(address)
    rows = ChannelConnection.objects.filter(kind="email", source__archived_at=None).exclude(local_part="")
    connection = rows.filter(local_part=local_part.partition("+")[0]).first()
    if connection is None or not connection.is_connected:
        raise UnknownAddress(address)
    return connection


def has_too_many_waiting(connection: ChannelConnection) -> bool:
    """True while so many mails have not been made sense of that others should come later."""
    waiting = InboundMail.objects.filter(connection=connection, outcome=InboundMail.Outcome.WAITING)
    return waiting[:WAITING_MAX].count() >= WAITING_MAX


@transaction.atomic
def keep_all(*, envelope_from: str, recipients: list[str], raw: bytes) -> None:
    """Keep one mail once for each connection it is for, or nothing. Raise UnknownAddress."""
    connections = {find_connection(address): address for address in recipients}
    for connection, address in connections.items():
        keep(connection=connection, envelope_from=envelope_from, envelope_to=address, raw=raw)


@transaction.atomic
def keep(*, connection: ChannelConnection, envelope_from: str, envelope_to: str, raw: bytes) -> InboundMail:
    """Keep a mail whole, with the job that reads it. When this returns, the mail may be acknowledged."""
    mail = InboundMail.objects.create(
        connection=connection, envelope_from=envelope_from[:320], envelope_to=envelope_to[:320], raw=raw
    )
    Job.objects.create(organization_id=connection.organization_id, category="read-mail", subject_id=mail.pk)
    transaction.on_commit(lambda: hints.send(hints.MAIL))
    return mail
