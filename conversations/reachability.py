"""By which connections a lead can be reached, and why not by the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conversations.window import is_window_open
from core.ids import encode
from leads.models import Lead
from messaging.models import ChannelConnection, UsableConnection
from messaging.registry import CHANNELS


@dataclass(frozen=True)
class Reach:
    """A lead's addresses, and the channels on which it wants no messages."""

    email: str
    phone: str  # E.164
    blocked: Collection[str]
    lead_id: UUID

    def has(self, address: str) -> bool:
        return bool({"email": self.email, "phone": self.phone}.get(address))


def reason_against(
    kind: str, reach: Reach, *, is_connected: bool, is_window_open: Callable[[], bool] = lambda: True
) -> str | None:
    """Say why a message cannot go out by a connection of this kind; None when it can. The one rule, for all who ask."""
    channel = CHANNELS.get(kind)
    if channel is None or channel.max_length is None:
        return "receives_only"
    if not is_connected:
        return "not_connected"
    if not reach.has(channel.address):
        return f"no_{channel.address}"
    if kind in reach.blocked:
        return "opted_out"
    return None if is_window_open() else "outside_window"


def reach_of_lead(lead: Lead, blocked: Collection[str]) -> Reach:
    return Reach(lead.email, lead.phone_e164, blocked, lead.pk)


def connection_json(
    connection: ChannelConnection, source_ids: Iterable[UUID], *, is_default: bool, reach: Reach | None = None
) -> dict[str, Any]:
    """Show a connection, and with `reach` whether it gets to that lead."""
    shown: dict[str, Any] = {
        "id": connection.pk,
        "name": connection.name,
        "messaging_channel_id": connection.kind,
        "default": is_default,
        "connected": connection.is_connected,
        "source_ids": [encode("src", source_id) for source_id in source_ids],
    }
    if reach:
        reason = reason_against(
            connection.kind,
            reach,
            is_connected=connection.is_connected,
            is_window_open=lambda: is_window_open(CHANNELS[connection.kind], connection.pk, reach.lead_id),
        )
        shown |= {"available": reason is None, "reason": reason}
    return shown


def usable_json(usable: UsableConnection, reach: Reach) -> dict[str, Any]:
    """Show a connection that a source can use, with whether it gets to a lead."""
    return connection_json(usable.connection, [usable.source_id], is_default=usable.is_default, reach=reach)
