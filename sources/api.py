"""Sources: businesses and their locations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Organization, Source
from accounts.models.sources import validate_time_zone
from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, id_of, listed, read_body, read_query
from api.callers import Caller
from api.fields import StrictString
from api.idempotency import answer_once
from core.ids import decode, encode, rfc3339
from core.keyset import page
from core.problems import Invalid, NotFound, Refusal
from integrations.registry import card_kinds
from sources.services import archive_source, create_source, restore_source, update_source


class SourceShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Source.Kind.choices)
    parent_id = serializers.CharField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    time_zone = serializers.CharField()
    form_origins = serializers.ListField(child=serializers.CharField())
    answers_take_over = serializers.BooleanField()
    cards = serializers.DictField(child=serializers.BooleanField(), help_text="Each card, and whether it is on.")
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


SOURCE = inline_serializer("Source", {"data": inline_serializer("SourceData", {"source": SourceShown()})})
SOURCES = inline_serializer(
    "Sources",
    {
        "data": inline_serializer("SourcesData", {"sources": SourceShown(many=True)}),
        "meta": inline_serializer("SourcesMeta", {"next_cursor": serializers.CharField(allow_null=True)}),
    },
)


class SourceChanges(serializers.Serializer[Any]):
    name = StrictString(max_length=200)
    external_id = StrictString(max_length=100, required=False, allow_null=True, allow_blank=True)
    time_zone = StrictString(max_length=64, required=False, validators=[validate_time_zone])
    form_origins = serializers.ListField(child=StrictString(max_length=300), required=False, max_length=50)
    answers_take_over = serializers.BooleanField(
        required=False, help_text="An answer of the team takes the conversation over: programs stop there."
    )

    def validate_form_origins(self, origins: list[str]) -> list[str]:
        for origin in origins:
            try:
                parts = urlsplit(origin)
            except ValueError as error:
                raise serializers.ValidationError(f"{origin[:100]} is not a website: {error}.") from error
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
                raise serializers.ValidationError(f"{origin[:100]} is not a website like https://www.example.com.")
        return [origin.rstrip("/") for origin in origins]


class SourceInput(SourceChanges):
    parent_id = StrictString(
        required=False, allow_null=True, help_text="Its business, by id or external id; left out: it is one."
    )


class SourcesApi(Api):
    scopes = {"GET": "sources:read", "POST": "sources:write"}

    class Query(PageQuery):
        kind = serializers.ChoiceField(choices=Source.Kind.choices, required=False)
        parent_id = serializers.CharField(required=False)
        external_id = serializers.CharField(required=False)
        archived = serializers.BooleanField(required=False, default=False)

    @extend_schema(operation_id="list_sources", parameters=[Query], responses=SOURCES, tags=["Sources"])
    def get(self, request: Request) -> Response:
        query = read_query(request, self.Query)
        rows = sources_of(caller_of(request)).filter(archived_at__isnull=not query["archived"])
        if "kind" in query:
            rows = rows.filter(kind=query["kind"])
        if "parent_id" in query:
            parent_id = decode("src", query["parent_id"])
            rows = rows.filter(parent=parent_id) if parent_id else rows.none()
        if "external_id" in query:
            rows = rows.filter(external_id=query["external_id"])
        sources, next_cursor = page(rows, query)
        return listed("sources", [source_json(source) for source in sources], next_cursor)

    @extend_schema(
        operation_id="create_source",
        parameters=[IDEMPOTENCY],
        request=SourceInput,
        responses={201: SOURCE},
        tags=["Sources"],
    )
    def post(self, request: Request) -> Response:
        """A business, or with `parent_id` a location of one. Both cards are made with it, off."""
        data = read_body(request, SourceInput)

        def make() -> Response:
            caller = caller_of(request)
            parent = _parent(caller, data.pop("parent_id", None))
            with _one_external_id():
                source = create_source(
                    organization=_organization(caller), actor=actor_of(request), parent=parent, **_plain(data)
                )
            body = {"data": {"source": source_json(load_source(request, source.public_id))}}
            return Response(body, status=201, headers={"Location": f"/v1/sources/{source.public_id}"})

        return answer_once(request, make)


class SourceApi(Api):
    scopes = {"GET": "sources:read", "PATCH": "sources:write"}
    refusals = {"PATCH": ("source.archived",)}

    @extend_schema(operation_id="get_source", responses=SOURCE, tags=["Sources"])
    def get(self, request: Request, source_id: str) -> Response:
        read_query(request, serializers.Serializer)
        return _one(request, source_id)

    @extend_schema(operation_id="update_source", request=SourceChanges, responses=SOURCE, tags=["Sources"])
    def patch(self, request: Request, source_id: str) -> Response:
        data = read_body(request, SourceChanges, partial=True)
        source = load_source(request, source_id)
        with _one_external_id():
            update_source(source=source, actor=actor_of(request), **_plain(data))
        return _one(request, source_id)


class SourceArchiveApi(Api):
    scopes = {"POST": "sources:write"}

    @extend_schema(
        operation_id="archive_source", parameters=[IDEMPOTENCY], request=None, responses=SOURCE, tags=["Sources"]
    )
    def post(self, request: Request, source_id: str) -> Response:
        """With its locations: nothing arrives, nothing is delivered, no key opens it. Nothing is deleted."""

        def archive() -> Response:
            archive_source(source=load_source(request, source_id), actor=actor_of(request))
            return _one(request, source_id)

        return answer_once(request, archive)


class SourceRestoreApi(Api):
    scopes = {"POST": "sources:write"}
    refusals = {"POST": ("source.parentArchived",)}

    @extend_schema(
        operation_id="restore_source", parameters=[IDEMPOTENCY], request=None, responses=SOURCE, tags=["Sources"]
    )
    def post(self, request: Request, source_id: str) -> Response:
        def restore() -> Response:
            restore_source(source=load_source(request, source_id), actor=actor_of(request))
            return _one(request, source_id)

        return answer_once(request, restore)


def sources_of(caller: Caller) -> Any:
    rows = Source.objects.visible_to(caller).filter(organization=caller.organization_id)
    return rows.select_related("parent", *(kind.accessor for kind in card_kinds().values()))


def load_source(request: Request, text: str) -> Source:
    source: Source | None = sources_of(caller_of(request)).filter(pk=id_of("src", text, "source")).first()
    if source is None:
        raise NotFound("source")
    return source


def _parent(caller: Caller, named: str | None) -> Source | None:
    """Return the business of a new location. A caller limited to sources may add locations to them, but no business."""
    if named is None:
        if caller.organization_id not in caller.reach().organization_ids:
            raise Refusal(403, "request.forbidden", "This token is limited to sources: name a business as parent_id.")
        return None
    rows = Source.objects.visible_to(caller).named(named, organizations=[caller.organization_id])
    parent = rows.first()
    if parent is None:
        raise Invalid.at("#/parent_id", "There is no such source.", "notFound")
    if parent.is_location:
        raise Invalid.at("#/parent_id", "A location has no locations of its own. Name a business.", "notABusiness")
    return parent


def _organization(caller: Caller) -> Any:
    return Organization.objects.get(pk=caller.organization_id)


@contextmanager
def _one_external_id() -> Iterator[None]:
    """Turn the database's refusal of a second external id into the caller's words."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "external_id" not in str(error):
            raise
        raise Invalid.at(
            "#/external_id", "Another source of the organization has this external id.", "taken"
        ) from error


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value or "" if name == "external_id" else value for name, value in data.items()}


def _one(request: Request, text: str) -> Response:
    return Response({"data": {"source": source_json(load_source(request, text))}})


def source_json(source: Source) -> dict[str, Any]:
    parent: UUID | None = source.parent_id
    return {
        "id": source.public_id,
        "name": source.name,
        "kind": source.kind,
        "parent_id": encode("src", parent) if parent else None,
        "external_id": source.external_id or None,
        "time_zone": source.time_zone,
        "form_origins": list(source.form_origins),
        "answers_take_over": source.answers_take_over,
        "cards": {slug: getattr(source, kind.accessor).is_enabled for slug, kind in card_kinds().items()},
        "archived_at": rfc3339(source.archived_at),
        "created_at": rfc3339(source.created_at),
    }
