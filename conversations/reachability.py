"""By which connections a lead can be reached, and why not by the others."""

from __future__ import annotations

from collections.abc import Collection
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
        reason = reason_against(
            connection.kind, is_connected=connection.is_connected, email=lead.email, blocked=blocked
        )
        shown |= {"available": reason is None, "reason": reason}
    return shown


def reason_against(kind: str, *, is_connected: bool, email: str, blocked: Collection[str]) -> str | None:
    """Say why a message cannot go out by a connection of this kind; None when it can. The one rule, for all who ask."""
    channel = CHANNELS.get(kind)
    if channel is None or channel.max_length is None:
        return "receives_only"
    if not is_connected:
        return "not_connected"
    if kind == ChannelConnection.Kind.EMAIL and not email:
        return "no_email"
    return "opted_out" if kind in blocked else None
