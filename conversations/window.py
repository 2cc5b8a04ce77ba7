"""The time after a lead's last message in which a channel takes free text. After it, only templates may be sent."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations.models import Message
from core.ids import first_id
from messaging.base import Channel

CLOCKS_DIFFER = timedelta(minutes=5)


def is_window_open(channel: Channel, connection_id: int, lead_id: UUID) -> bool:
    """True if free text may be sent: by the time of the lead's last message to this very number, by its own clock."""
    if channel.window is None:
        return True
    since = timezone.now() - channel.window
    said = Message.objects.filter(
        pk__gt=first_id(since - CLOCKS_DIFFER),
        connection=connection_id,
        conversation__lead=lead_id,
        direction=Message.Direction.INBOUND,
        kind=Message.Kind.MESSAGE,
        is_automatic=False,
    )
    return said.annotate(moment=Coalesce("said_at", "created_at")).filter(moment__gt=since).exists()
