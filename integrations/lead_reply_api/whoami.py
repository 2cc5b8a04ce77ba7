from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Organization, Source
from api.base import Api, caller_of
from api.callers import Caller
from core.ids import encode, rfc3339

SOURCES_SHOWN = 1_000


class WhoamiSchema(serializers.Serializer[Any]):
    class Named(serializers.Serializer[Any]):
        id = serializers.CharField()
        name = serializers.CharField()

    class WhoamiSource(serializers.Serializer[Any]):
        id = serializers.CharField()
        name = serializers.CharField()
        kind = serializers.ChoiceField(choices=Source.Kind.choices)
        enabled = serializers.BooleanField()

    class KeyShown(serializers.Serializer[Any]):
        prefix = serializers.CharField()
        last_four = serializers.CharField()
        created_at = serializers.DateTimeField()
        expires_at = serializers.DateTimeField(allow_null=True)

    kind = serializers.ChoiceField(choices=["source_key", "staff", "app", "directory"])
    name = serializers.CharField()
    organization = Named()
    sources = WhoamiSource(many=True)
    scopes = serializers.ListField(child=serializers.CharField())
    key = KeyShown()


class WhoamiApi(Api):
    """Says whose key this is. It answers with the card off too: that is how a caller validates before Enable."""

    for_source_keys = frozenset({"GET"})

    @extend_schema(operation_id="whoami", responses=WhoamiSchema, tags=["Replies"])
    def get(self, request: Request) -> Response:
        return Response(whoami_json(caller_of(request)))


def whoami_json(caller: Caller) -> dict[str, Any]:
    organization = Organization.objects.get(pk=caller.organization_id)
    return {
        "kind": caller.kind,
        "name": caller.name,
        "organization": {"id": encode("org", organization.pk), "name": organization.name},
        "sources": _sources(caller),
        "scopes": sorted(caller.scopes),
        "key": {
            "prefix": caller.key_prefix,
            "last_four": caller.key_last_four,
            "created_at": rfc3339(caller.key_created_at),
            "expires_at": rfc3339(caller.key_expires_at),
        },
    }


def _sources(caller: Caller) -> list[dict[str, Any]]:
    if caller.is_source_key:
        return [
            {"id": encode("src", source.id), "name": source.name, "kind": source.kind, "enabled": source.is_enabled}
            for source in caller.sources.values()
        ]
    rows = Source.objects.visible_to(caller).active().select_related("leadreplyapi")[:SOURCES_SHOWN]
    return [
        {"id": source.public_id, "name": source.name, "kind": source.kind, "enabled": source.leadreplyapi.is_enabled}
        for source in rows
    ]
