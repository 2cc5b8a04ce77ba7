"""The integration cards of a source, so that eighty locations are one script."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Source
from api.base import IDEMPOTENCY, Api, actor_of, caller_of, id_of, read_body, read_query
from api.fields import StrictBoolean
from api.idempotency import answer_once
from core.ids import rfc3339
from core.overlaps import OVERLAPS
from core.problems import Invalid, NotFound, Refusal
from integrations import services as cards
from integrations.kinds import OPTIONS, NewSecrets
from integrations.models import Card
from integrations.registry import card_kinds


class CardInput(serializers.Serializer[Any]):
    enabled = StrictBoolean(required=False)
    inherits = StrictBoolean(required=False, help_text="Use the parent's credential. Of a location.")
    needs_contact = StrictBoolean(required=False, help_text="Create customer only when contact info is captured.")
    only_new_leads = StrictBoolean(required=False)
    includes_source_name = StrictBoolean(required=False)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for kind in card_kinds().values():
            fields |= kind.input_fields()
        return fields


class HealthShown(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["none", "ok", "failing", "stopped"])
    detail = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)


class CardKeyShown(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    masked = serializers.CharField()
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)


class CardShown(serializers.Serializer[Any]):
    slug = serializers.ChoiceField(choices=list(card_kinds()))
    source_id = serializers.CharField()
    enabled = serializers.BooleanField()
    inherits = serializers.BooleanField()
    is_set_up = serializers.BooleanField()
    is_verified = serializers.BooleanField()
    is_checking = serializers.BooleanField(help_text="The result of a test is still to come.")
    last_check = serializers.DictField(allow_null=True)
    health = HealthShown()
    needs_contact = serializers.BooleanField()
    only_new_leads = serializers.BooleanField()
    includes_source_name = serializers.BooleanField()
    keys = CardKeyShown(many=True)
    secrets = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="Fresh ones, shown this one time."
    )
    turned_off = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Sources whose cards went off with it: they inherited."
    )

    def get_fields(self) -> dict[str, Any]:
        """Insert what only one kind of card shows before the keys."""
        fields: dict[str, Any] = {}
        for name, field in super().get_fields().items():
            if name == "keys":
                for kind in card_kinds().values():
                    fields |= kind.shown_fields()
            fields[name] = field
        return fields


CARD = inline_serializer("Card", {"data": inline_serializer("CardData", {"card": CardShown()})})


class CardApi(Api):
    scopes = {"GET": "sources:read", "PATCH": "sources:write"}
    refusals = {"PATCH": ("card.noParent", "card.notSetUp", "source.archived")}

    @extend_schema(operation_id="get_card", responses=CARD, tags=["Sources"])
    def get(self, request: Request, source_id: str, slug: str) -> Response:
        read_query(request, serializers.Serializer)
        return shown(request, load_card(request, source_id, slug))

    @extend_schema(operation_id="update_card", request=CardInput, responses=CARD, tags=["Sources"])
    def patch(self, request: Request, source_id: str, slug: str) -> Response:
        """What is given is done in this order: url, inherits, options, enabled. All of it, or nothing.

        A URL on another server (scheme, host or port) gets new keys, which stand in `secrets`.
        """
        data = read_body(request, CardInput, partial=True)
        card = load_card(request, source_id, slug)
        refuse_fields_of_others(card, data)
        secrets = change(request, card, data)
        return shown(request, load_card(request, source_id, slug), secrets)


class CardValidateApi(Api):
    scopes = {"POST": "sources:write"}
    refusals = {"POST": ("source.archived",)}

    @extend_schema(
        operation_id="validate_card",
        parameters=[IDEMPOTENCY],
        request=None,
        responses={200: CARD, 202: CARD},
        tags=["Sources"],
    )
    def post(self, request: Request, source_id: str, slug: str) -> Response:
        """Tries the connection, with the card on or off. 202 while the result is to come: read the card again."""

        def validate() -> Response:
            card = load_card(request, source_id, slug)
            cards.check(card=card, actor=actor_of(request))
            answer = shown(request, load_card(request, source_id, slug))
            answer.status_code = 202 if answer.data["data"]["card"]["is_checking"] else 200
            return answer

        return answer_once(request, validate)


class CardRegenerateApi(Api):
    scopes = {"POST": "sources:write"}
    refusals = {"POST": ("card.notSetUp", "source.archived")}

    class RegenerateInput(serializers.Serializer[Any]):
        overlap = serializers.ChoiceField(
            choices=["none", *(name for name in OVERLAPS if name)],
            default="none",
            help_text="How long the old key works beside the new one.",
        )

    @extend_schema(
        operation_id="regenerate_card",
        parameters=[IDEMPOTENCY],
        request=RegenerateInput,
        responses=CARD,
        tags=["Sources"],
    )
    def post(self, request: Request, source_id: str, slug: str) -> Response:
        """Makes new keys, the first ones too. On a location that inherits: of its parent, which needs that right."""
        overlap = OVERLAPS.get(read_body(request, self.RegenerateInput)["overlap"])

        def regenerate() -> Response:
            card, actor = load_card(request, source_id, slug), actor_of(request)
            require_credential_right(request, card)
            if not card.credential_card.has_credential and not cards.kind_of(card).set_up_fields:
                secrets = cards.set_up(card=card.credential_card, actor=actor)
            else:
                secrets = cards.regenerate(card=card, actor=actor, overlap=overlap)
            return shown(request, load_card(request, source_id, slug), secrets)

        return answer_once(request, regenerate)


class CardDisconnectApi(Api):
    scopes = {"POST": "sources:write"}
    refusals = {"POST": ("source.archived",)}

    @extend_schema(
        operation_id="disconnect_card", parameters=[IDEMPOTENCY], request=None, responses=CARD, tags=["Sources"]
    )
    def post(self, request: Request, source_id: str, slug: str) -> Response:
        """Clears the credential and turns the card off, and with it the locations that inherit."""

        def disconnect() -> Response:
            turned_off = cards.disconnect(card=load_card(request, source_id, slug), actor=actor_of(request))
            answer = shown(request, load_card(request, source_id, slug))
            answer.data["data"]["card"]["turned_off"] = [inheriting.source.public_id for inheriting in turned_off]
            return answer

        return answer_once(request, disconnect)


def refuse_fields_of_others(card: Card, data: dict[str, Any]) -> None:
    """Raise Invalid for a field that another kind of card has."""
    wrong = [
        {"pointer": f"#/{name}", "detail": f"Only the {kind.model.slug} card has this.", "code": "notHere"}
        for kind in card_kinds().values()
        for name in kind.input_fields()
        if kind.model.slug != card.slug and name in data
    ]
    if wrong:
        raise Invalid(wrong)


def load_card(request: Request, source_id: str, slug: str) -> Card:
    """Return one card that the caller sees. Raise NotFound, or Refusal `source.archived` for a change."""
    caller = caller_of(request)
    sources = Source.objects.visible_to(caller).filter(organization=caller.organization_id)
    source = sources.filter(pk=id_of("src", source_id, "source")).first()
    if source is None:
        raise NotFound("source")
    if slug not in card_kinds():
        raise NotFound("card")
    if source.is_archived and request.method != "GET":
        raise Refusal(409, "source.archived", "This source is archived. Restore it first.")
    kind = card_kinds()[slug]
    card: Card = kind.model.objects.with_credential_card().select_related(*kind.related).get(source=source)
    return card


def change(request: Request, card: Card, data: dict[str, Any]) -> NewSecrets | None:
    """Do what a PATCH asks for, in one transaction. Return fresh secrets, if some were made."""
    actor, kind, secrets = actor_of(request), cards.kind_of(card), None
    with transaction.atomic():
        if connection := {name: data[name] for name in kind.set_up_fields if name in data}:
            require_credential_right(request, card)
            set_up = cards.configure if card.credential_card.has_credential else cards.set_up
            secrets = set_up(card=card.credential_card, actor=actor, **connection)
            card.refresh_from_db()
        if "inherits" in data:
            if data["inherits"]:
                require_source(request, card.source.parent)
            cards.set_inherits(card=card, inherits=data["inherits"], actor=actor)
        options = {name: data[name] for name in (*kind.options, *kind.more_fields) if name in data}
        if options:
            cards.configure(card=card, actor=actor, **options)
        if "enabled" in data:
            cards.switch(card=card, on=data["enabled"], actor=actor)
    return secrets


def require_credential_right(request: Request, card: Card) -> None:
    """Raise Refusal 403 if the caller may not configure the card that has the credential."""
    require_source(request, card.credential_card.source)


def require_source(request: Request, source: Source | None) -> None:
    if source is not None and not caller_of(request).reach().includes(source):
        raise Refusal(403, "request.forbidden", "This needs the right to configure the parent.")


def shown(request: Request, card: Card, new_secrets: NewSecrets | None = None) -> Response:
    body = card_json(card, may_see_credential=caller_of(request).reach().includes(card.credential_card.source))
    if new_secrets:
        body["secrets"] = dict(new_secrets.secrets)
    return Response({"data": {"card": body}})


def card_json(card: Card, *, may_see_credential: bool) -> dict[str, Any]:
    """Return one card. What belongs to the parent is shown only with the right to configure the parent."""
    kind, check = cards.kind_of(card), card.last_check or {}
    health = kind.health(card)
    body: dict[str, Any] = {
        "slug": card.slug,
        "source_id": card.source.public_id,
        "enabled": card.is_enabled,
        "inherits": card.inherits,
        "is_set_up": card.is_set_up,
        "is_verified": card.is_verified,
        "is_checking": kind.is_checking(card),
        "last_check": {name: check[name] for name in ("ok", "title", "detail", "at")} if "ok" in check else None,
        "health": {"state": health.state, "detail": health.detail or None, "since": rfc3339(health.since)},
        **{name: getattr(card, name) for name in OPTIONS},
        **kind.shown_values(card, may_see_credential=may_see_credential),
    }
    keys = kind.keys(card.credential_card) if may_see_credential else []
    body["keys"] = [
        {"label": key.label, "masked": key.masked, "created_at": rfc3339(key.made_at), "ends_at": rfc3339(key.ends_at)}
        for key in keys
    ]
    return body
