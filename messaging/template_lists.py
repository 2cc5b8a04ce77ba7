"""Keep the list of a connection's templates as its provider has it."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from messaging.accounts import account_of
from messaging.failures import NotSent
from messaging.models import ChannelConnection, MessageTemplate
from messaging.registry import CHANNELS, PROVIDERS

logger = logging.getLogger(__name__)


def refresh(connection: ChannelConnection) -> int:
    """Ask the provider for the templates and store them. Return how many there are. Raise NotSent."""
    templates = PROVIDERS[connection.provider].templates(account_of(connection))
    began_at = timezone.now()
    rows = [
        MessageTemplate(
            connection=connection,
            name=template.name,
            language=template.language,
            category=template.category,
            status=template.status,
            body=template.body,
            is_sendable=template.is_sendable,
            refreshed_at=began_at,
        )
        for template in {(template.name, template.language): template for template in templates}.values()
    ]
    with transaction.atomic():
        MessageTemplate.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "name", "language"],
            update_fields=["category", "status", "body", "is_sendable", "refreshed_at"],
        )
        MessageTemplate.objects.filter(connection=connection, refreshed_at__lt=began_at).delete()
    return len(rows)


def refresh_all() -> None:
    """Refresh the lists of all connections whose channel has templates. One that fails delays no other."""
    kinds = [slug for slug, channel in CHANNELS.items() if channel.window]
    for connection in ChannelConnection.objects.active().filter(kind__in=kinds, disconnected_at=None):
        try:
            refresh(connection)
        except NotSent as failure:
            logger.warning("templates of connection %s: %s", connection.pk, failure)
