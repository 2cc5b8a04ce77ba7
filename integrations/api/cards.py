"""The integration cards of a source, so that eighty locations are one script."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.dialling import url_error
from core.ids import moment
from core.overlaps import OVERLAPS
from core.problems import Invalid, NotFound, Refusal
from integrations.api.base import IDEMPOTENCY, Api, actor_of, caller_of, read_body, read_query
from integrations.api.fields import Text, Truth
from integrations.api.sources import load_source
from integrations.cards import CARDS
from integrations.cards.base import Made
from integrations.event_types import CHOOSABLE
from integrations.idempotency import answer_once
from integrations.models import Card, RestWebhook, Source
from integrations.services import cards

WEBHOOK_ONLY = ("url", "event_types", "sends_secret_header")
CARD_SLUGS = list(CARDS)


class CardInput(serializers.Serializer[Any]):
    enabled = Truth(required=False)
    inherits = Truth(required=False, help_text="Use the parent's credential. Of a location.")
    needs_contact = Truth(required=False, help_text="Create customer only when contact info is captured.")
    only_new_leads = Truth(required=False)
    includes_source_name = Truth(required=False)
    url = Text(
        required=False, max_length=2000, help_text="REST Webhook. On a card that is not set up it makes the keys."
    )
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=[one.value for one in CHOOSABLE]), required=False, allow_empty=False
    )
    sends_secret_header = Truth(required=False)

    def validate_url(self, url: str) -> str:
        if error := url_error(url):
            raise serializers.ValidationError(error, code="url")
        return url


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
    slug = serializers.ChoiceField(choices=CARD_SLUGS)
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
    url = serializers.CharField(required=False, allow_null=True)
    event_types = serializers.ListField(child=serializers.CharField(), required=False)
    sends_secret_header = serializers.BooleanField(required=False)
    keys = CardKeyShown(many=True)
    secrets = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="Fresh ones, shown this one time."
    )
    turned_off = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Sources whose cards went off with it: they inherited."
    )


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
        if not isinstance(card, RestWebhook) and (wrong := [name for name in WEBHOOK_ONLY if name in data]):
            words = "Only the rest-webhook card has this."
            raise Invalid([{"pointer": f"#/{name}", "detail": words, "code": "notHere"} for name in wrong])
        made = change(request, card, data)
        return shown(request, load_card(request, source_id, slug), made)


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
            require_owner(request, card)
            if not card.owner.has_credential and not isinstance(card, RestWebhook):
                made = cards.set_up(card=card.owner, actor=actor)
            else:
                made = cards.regenerate(card=card, actor=actor, overlap=overlap)
            return shown(request, load_card(request, source_id, slug), made)

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
            answer.data["data"]["card"]["turned_off"] = [heir.source.public_id for heir in turned_off]
            return answer

        return answer_once(request, disconnect)


def load_card(request: Request, source_id: str, slug: str) -> Card:
    source = load_source(request, source_id)
    if slug not in CARDS:
        raise NotFound("card")
    if source.is_archived and request.method != "GET":
        raise Refusal(409, "source.archived", "This source is archived. Restore it first.")
    card: Card = CARDS[slug].model.objects.with_owner().select_related(*CARDS[slug].related).get(source=source)
    return card


def change(request: Request, card: Card, data: dict[str, Any]) -> Made | None:
    """Do what a PATCH asks for, in one transaction. Return fresh secrets, if some were made."""
    actor, made = actor_of(request), None
    with transaction.atomic():
        if "url" in data:
            require_owner(request, card)
            if card.owner.has_credential:
                made = cards.configure(card=card.owner, actor=actor, url=data["url"])
            else:
                made = cards.set_up(card=card.owner, actor=actor, url=data["url"])
            card.refresh_from_db()
        if "inherits" in data:
            if data["inherits"]:
                require_source(request, card.source.parent)
            cards.set_inherits(card=card, inherits=data["inherits"], actor=actor)
        options = {name: data[name] for name in (*cards.OPTIONS, "event_types", "sends_secret_header") if name in data}
        if options:
            cards.configure(card=card, actor=actor, **options)
        if "enabled" in data:
            cards.switch(card=card, on=data["enabled"], actor=actor)
    return made


def require_owner(request: Request, card: Card) -> None:
    """Raise Refusal 403 for who may not configure the card that owns the credential."""
    require_source(request, card.owner.source)


def require_source(request: Request, source: Source | None) -> None:
    if source is not None and not caller_of(request).reach.includes(source):
        raise Refusal(403, "request.forbidden", "This needs the right to configure the parent.")


def shown(request: Request, card: Card, made: Made | None = None) -> Response:
    body = card_json(card, may_see_owner=caller_of(request).reach.includes(card.owner.source))
    if made:
        body["secrets"] = dict(made.secrets)
    return Response({"data": {"card": body}})


def card_json(card: Card, *, may_see_owner: bool) -> dict[str, Any]:
    """One card. What belongs to the parent is shown to who may configure that one."""
    kind, check = CARDS[card.slug], card.last_check or {}
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
        "health": {"state": health.state, "detail": health.detail or None, "since": moment(health.since)},
        **{name: getattr(card, name) for name in cards.OPTIONS},
    }
    if isinstance(card, RestWebhook):
        body["url"] = (card.owner.url if may_see_owner else card.endpoint_host) or None
        body["event_types"] = list(card.event_types)
        body["sends_secret_header"] = card.sends_secret_header
    keys = kind.keys(card.owner) if may_see_owner else []
    body["keys"] = [
        {"label": one.label, "masked": one.masked, "created_at": moment(one.made_at), "ends_at": moment(one.ends_at)}
        for one in keys
    ]
    return body
