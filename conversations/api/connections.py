"""The routes to leads."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Api, caller_of, read_query
from api.schema import enveloped
from conversations.api.access import load_lead
from conversations.api.schema import ConnectionShown
from conversations.reachability import connection_json
from core.ids import decode
from core.problems import NotFound
from leads.models import OptOut
from messaging.models import ChannelConnection


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
        if (sources := caller.enabled_sources()) is not None:
            rows = rows.filter(source__in=[source.id for source in sources])
        if "source_id" in query:
            source_id = decode("src", query["source_id"])
            rows = rows.filter(source=source_id) if source_id else rows.none()
            if not rows.exists():
                raise NotFound("source")
        if lead:
            rows = rows.filter(source=lead.source_id)
        blocked = {opt_out.channel for opt_out in OptOut.objects.of(lead)} if lead else set()
        shown = [connection_json(connection, lead, blocked) for connection in rows]
        return Response({"data": {"messaging_channel_connections": shown}})
