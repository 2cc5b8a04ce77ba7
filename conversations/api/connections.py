"""The routes to leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Source
from api.base import IDEMPOTENCY, Api, caller_of, read_query
from api.callers import Caller
from api.schema import enveloped
from conversations.api.access import load_lead
from conversations.api.connection_settings import CONNECTION, ConnectionInput, create_connection
from conversations.api.schema import ConnectionShown
from conversations.reachability import Reach, connection_json, reach_of_lead
from core.ids import decode
from core.problems import NotFound
from leads.models import OptOut
from messaging.models import UsableConnection


class ConnectionsApi(Api):
    scopes = {"GET": "channels:read", "POST": "channels:write"}
    for_source_keys = frozenset({"GET"})
    refusals = {"GET": ("lead.notFound",), "POST": ("connection.exists", "connection.tooMany")}

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
        sources = _sources(caller)
        if "source_id" in query:
            sources = [pk for pk in sources if pk == decode("src", query["source_id"])]
            if not sources:
                raise NotFound("source")
        if lead:
            sources = [pk for pk in sources if pk == lead.source_id]
        reach = reach_of_lead(lead, {opt_out.channel for opt_out in OptOut.objects.of(lead)}) if lead else None
        shown = list(_connections(sources, reach))
        return Response({"data": {"messaging_channel_connections": shown}})

    @extend_schema(
        operation_id="create_channel_connection",
        parameters=[IDEMPOTENCY],
        request=ConnectionInput,
        responses={201: CONNECTION},
        tags=["Channels"],
    )
    def post(self, request: Request) -> Response:
        """Connects an account at a provider. The answer says at which address the provider has to call."""
        return create_connection(request)


def _sources(caller: Caller) -> list[UUID]:
    """The sources that a caller gets at; for a source's key those whose card is on."""
    if (enabled := caller.enabled_sources()) is not None:
        return [source.id for source in enabled]
    rows = Source.objects.visible_to(caller).filter(organization=caller.organization_id)
    return list(rows.values_list("pk", flat=True))


def _connections(source_ids: list[UUID], reach: Reach | None) -> Iterator[dict[str, Any]]:
    """Each connection that these sources use, once.

    The default of each kind is the source's where one source is meant, else the organization's: its oldest.
    """
    rows = UsableConnection.objects.filter(source__in=source_ids).select_related("connection").order_by("connection_id")
    users: dict[int, list[UsableConnection]] = {}
    for usable in rows:
        users.setdefault(usable.connection_id, []).append(usable)
    kinds: set[str] = set()
    for usables in users.values():
        is_default = usables[0].is_default if len(source_ids) == 1 else usables[0].kind not in kinds
        kinds.add(usables[0].kind)
        yield connection_json(
            usables[0].connection, [usable.source_id for usable in usables], is_default=is_default, reach=reach
        )
