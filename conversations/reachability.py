"""By which connections a lead can be reached, and why not by the others."""

from __future__ import annotations

from typing import Any

from core.ids import encode
from leads.models import Lead
from messaging.models import ChannelConnection
from messaging.registry import CHANNELS


def connection_json(connection: ChannelConnection, lead: Lead | None, blocked: set[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": connection.pk,
        "name": connection.name,
        "messaging_channel_id": connection.kind,
        "default": connection.is_default,
        "connected": connection.is_connected,
        "source_ids": [encode("src", connection.source_id)],
    }
    if lead:
        reason = unavailable_because(connection, lead, blocked)
        shown |= {"available": reason is None, "reason": reason}
    return shown


def unavailable_because(connection: ChannelConnection, lead: Lead, blocked: set[str]) -> str | None:
    """Return why a connection does not reach a lead, or None when it does."""
    channel = CHANNELS.get(connection.kind)
    if channel is None or channel.max_length is None:
        return "receives_only"
    if not connection.is_connected:
        return "not_connected"
    if connection.kind == ChannelConnection.Kind.EMAIL and not lead.email:
        return "no_email"
    return "opted_out" if connection.kind in blocked else None
