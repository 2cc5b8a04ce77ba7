"""The ways to leads."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.access import load_lead
from conversations.api.schema import ConnectionShown, enveloped
from conversations.channels import CHANNELS
from core.ids import decode, encode
from core.problems import NotFound
from integrations.api.base import Api, caller_of, read_query
from integrations.models import ChannelConnection
from leads.models import Lead, OptOut


class ConnectionsApi(Api):
    scopes = {"GET": "channels:read"}
    for_source_keys = frozenset({"GET"})
    refusals = {"GET": ("lead.notFound",)}

    class Query(serializers.Serializer[Any]):
        lead_id = serializers.CharField(required=False)
        source_id = serializers.CharField(required=False)

    @extend_schema(
        operation_id="list_channel_connections",
        parameters=[Query],
        responses=enveloped("messaging_channel_connections", ConnectionShown, many=True, paged=False),
        tags=["Replies"],
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, self.Query)
        caller = caller_of(request)
        lead = load_lead(request, query["lead_id"]) if "lead_id" in query else None
        rows = ChannelConnection.objects.visible_to(caller)
        if caller.is_source_key:
            rows = rows.filter(source__in=[source.id for source in caller.enabled_sources()])
        if "source_id" in query:
            wanted = decode("src", query["source_id"])
            rows = rows.filter(source=wanted) if wanted else rows.none()
            if not rows.exists():
                raise NotFound("source")
        if lead:
            rows = rows.filter(source=lead.source_id)
        blocked = {one.channel for one in OptOut.objects.of(lead)} if lead else set()
        shown = [connection_json(one, lead, blocked) for one in rows]
        return Response({"data": {"messaging_channel_connections": shown}})


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
