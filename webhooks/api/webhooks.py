"""Webhook subscriptions: what the settings page does, for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Membership
from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, id_of, listed, read_body, read_query
from api.callers import Caller
from api.fields import StrictBoolean, StrictDateTime
from api.idempotency import answer_once
from api.jobs import JobShown, job_json
from core.keyset import page
from core.overlaps import OVERLAPS
from core.problems import NotFound, Refusal
from webhooks.api.shapes import (
    DELIVERY,
    EVENT_TYPES,
    WEBHOOK,
    WEBHOOK_MADE,
    WEBHOOKS,
    WebhookInput,
    delivery_of,
    event_type_json,
    webhook_json,
)
from webhooks.event_types import SUBSCRIBABLE
from webhooks.models import Subscription
from webhooks.services import subscriptions
from webhooks.services.replays import start_missed, start_replay


class WebhooksApi(Api):
    scopes = {"GET": "webhooks:read", "POST": "webhooks:write"}
    refusals = {"POST": ("webHook.invalidEvent", "webHook.tooMany")}

    @extend_schema(operation_id="list_webhooks", parameters=[PageQuery], responses=WEBHOOKS, tags=["Webhooks"])
    def get(self, request: Request) -> Response:
        query = read_query(request, PageQuery)
        webhooks, next_cursor = page(webhooks_of(caller_of(request)), query)
        return listed("webhooks", [webhook_json(webhook) for webhook in webhooks], next_cursor)

    @extend_schema(
        operation_id="create_webhook",
        parameters=[IDEMPOTENCY],
        request=WebhookInput,
        responses={201: WEBHOOK_MADE},
        tags=["Webhooks"],
    )
    def post(self, request: Request) -> Response:
        """The answer shows the signing secret (`v1`) or the public key (`v1a`), the secret this one time."""
        creator = creator_of(caller_of(request))
        settings = WebhookInput.settings(read_body(request, WebhookInput), creator)

        def make() -> Response:
            webhook, shown = subscriptions.subscribe(creator=creator, actor=actor_of(request), **settings)
            body = {"data": {"webhook": {**webhook_json(webhook), **secret_json(webhook, shown)}}}
            return Response(body, status=201, headers={"Location": f"/v1/webhooks/{webhook.public_id}"})

        return answer_once(request, make)


class WebhookApi(Api):
    scopes = {"GET": "webhooks:read", "PATCH": "webhooks:write", "DELETE": "webhooks:write"}
    refusals = {"PATCH": ("webHook.invalidEvent", "webHook.orphaned", "webHook.signatureFixed")}

    @extend_schema(operation_id="get_webhook", responses=WEBHOOK, tags=["Webhooks"])
    def get(self, request: Request, webhook_id: str) -> Response:
        read_query(request, serializers.Serializer)
        return shown(load_webhook(request, webhook_id))

    @extend_schema(operation_id="update_webhook", request=WebhookInput, responses=WEBHOOK, tags=["Webhooks"])
    def patch(self, request: Request, webhook_id: str) -> Response:
        """Fields that are left out stay. `headers`, `basic_auth` and `client_certificate` are replaced whole."""
        subscription = load_webhook(request, webhook_id)
        data = read_body(request, WebhookInput, partial=True)
        settings = WebhookInput.settings(data, subscription.creator)
        if settings.pop("signature", subscription.signature) != subscription.signature:
            raise Refusal(
                409, "webHook.signatureFixed", "The signature scheme cannot be changed. Create another webhook instead."
            )
        is_enabled = settings.pop("is_enabled", None)
        actor = actor_of(request)
        with transaction.atomic():  # all of it, or nothing
            changed = subscriptions.change(subscription=subscription, actor=actor, **settings)
            if is_enabled is not None:
                subscriptions.switch(subscription=changed, on=is_enabled, actor=actor)
        return shown(load_webhook(request, webhook_id))

    @extend_schema(operation_id="delete_webhook", responses={204: None}, tags=["Webhooks"])
    def delete(self, request: Request, webhook_id: str) -> Response:
        subscriptions.delete(subscription=load_webhook(request, webhook_id), actor=actor_of(request))
        return Response(status=204)


class WebhookAction(Api):
    """A POST on one webhook."""

    scopes = {"POST": "webhooks:write"}


class WebhookEnableApi(WebhookAction):
    refusals = {"POST": ("replay.notSetUp", "replay.running", "webHook.orphaned")}

    class EnableInput(serializers.Serializer[Any]):
        send_missed = StrictBoolean(default=False, help_text="After a stop: also send what was missed.")

    @extend_schema(
        operation_id="enable_webhook",
        parameters=[IDEMPOTENCY],
        request=EnableInput,
        responses=WEBHOOK,
        tags=["Webhooks"],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        """Also ends a stop. With `send_missed` the answer names the background job that sends what was missed."""
        data = read_body(request, self.EnableInput)

        def enable() -> Response:
            subscription, actor = load_webhook(request, webhook_id), actor_of(request)
            job = None
            if data["send_missed"]:
                job = start_missed(endpoint=subscription, actor=actor)
            else:
                subscriptions.switch(subscription=subscription, on=True, actor=actor)
            answer = shown(load_webhook(request, webhook_id))
            if job:
                answer["Location"] = f"/v1/background-jobs/{job.public_id}"
            return answer

        return answer_once(request, enable)


class WebhookDisableApi(WebhookAction):
    @extend_schema(
        operation_id="disable_webhook", parameters=[IDEMPOTENCY], request=None, responses=WEBHOOK, tags=["Webhooks"]
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        """What waits is held, and goes on with Enable."""

        def disable() -> Response:
            subscriptions.switch(subscription=load_webhook(request, webhook_id), on=False, actor=actor_of(request))
            return shown(load_webhook(request, webhook_id))

        return answer_once(request, disable)


class WebhookTestApi(WebhookAction):
    @extend_schema(
        operation_id="test_webhook",
        parameters=[IDEMPOTENCY],
        request=None,
        responses={202: DELIVERY},
        tags=["Webhooks"],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        """Sends a `webhook.test` event, with the webhook on or off. `Location` is the delivery to follow."""

        def test() -> Response:
            subscription = load_webhook(request, webhook_id)
            delivery = subscriptions.test(subscription=subscription, actor=actor_of(request))
            body = delivery_of(subscription, delivery.pk)
            where = f"/v1/webhooks/{subscription.public_id}/deliveries/{body['id']}"
            return Response({"data": {"delivery": body}}, status=202, headers={"Location": where})

        return answer_once(request, test)


class WebhookRotateApi(WebhookAction):
    class RotateInput(serializers.Serializer[Any]):
        overlap = serializers.ChoiceField(
            choices=[*(name for name in OVERLAPS if name), "none"],
            default="24h",
            help_text="How long both secrets sign.",
        )

    @extend_schema(
        operation_id="rotate_webhook_secret",
        parameters=[IDEMPOTENCY],
        request=RotateInput,
        responses=WEBHOOK_MADE,
        tags=["Webhooks"],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        """A second rotation during an overlap ends the oldest secret."""
        overlap: timedelta | None = OVERLAPS.get(read_body(request, self.RotateInput)["overlap"])

        def rotate() -> Response:
            subscription = load_webhook(request, webhook_id)
            fresh = subscriptions.rotate(subscription=subscription, actor=actor_of(request), overlap=overlap)
            body = {**webhook_json(load_webhook(request, webhook_id)), **secret_json(subscription, fresh)}
            return Response({"data": {"webhook": body}})

        return answer_once(request, rotate)


class WebhookReplayApi(WebhookAction):
    refusals = {"POST": ("replay.notSetUp", "replay.running", "webHook.invalidEvent")}

    class ReplayInput(serializers.Serializer[Any]):
        since = StrictDateTime()
        until = StrictDateTime(required=False)
        event_types = serializers.ListField(child=serializers.CharField(), required=False)
        only_undelivered = StrictBoolean(default=True, help_text="False: also what arrived.")
        dry_run = StrictBoolean(default=False, help_text="Only count.")

        def validate(self, data: dict[str, Any]) -> dict[str, Any]:
            if "until" in data and data["until"] <= data["since"]:
                raise serializers.ValidationError({"until": ["The end must be after the start."]}, code="range")
            return data

    @extend_schema(
        operation_id="replay_webhook",
        parameters=[IDEMPOTENCY],
        request=ReplayInput,
        responses={202: JobShown},
        tags=["Webhooks"],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        """Sends events of a time again, without a cap, beside fresh ones. `Location` is the job to follow."""
        data = read_body(request, self.ReplayInput)
        is_dry_run = data.pop("dry_run")
        WebhookInput.check_event_types(data.get("event_types", []))

        def replay() -> Response:
            subscription = load_webhook(request, webhook_id)
            job = start_replay(endpoint=subscription, actor=actor_of(request), is_dry_run=is_dry_run, **data)
            job.refresh_from_db()
            where = f"/v1/background-jobs/{job.public_id}"
            return Response(job_json(job), status=202, headers={"Location": where})

        return answer_once(request, replay)


class WebhookEventsApi(Api):
    scopes: ClassVar[dict[str, str]] = {"GET": "webhooks:read"}

    @extend_schema(operation_id="list_webhook_events", responses=EVENT_TYPES, tags=["Webhooks"])
    def get(self, request: Request) -> Response:
        """The types of events that can be chosen, with a sample of each."""
        read_query(request, serializers.Serializer)
        return Response({"data": {"events": [event_type_json(event_type) for event_type in SUBSCRIBABLE]}})


def webhooks_of(caller: Caller) -> QuerySet[Subscription]:
    rows = Subscription.objects.visible_to(caller).filter(organization=caller.organization_id)
    return rows.select_related("lane", "creator__user").prefetch_related("secrets")


def load_webhook(request: Request, text: str) -> Subscription:
    webhook = webhooks_of(caller_of(request)).filter(pk=id_of("wh", text, "webHook")).first()
    if webhook is None:
        raise NotFound("webHook")
    return webhook


def creator_of(caller: Caller) -> Membership:
    if caller.creator is None:
        raise Refusal(403, "request.forbidden", "Webhooks are made with a token of an organization.")
    return caller.creator


def shown(subscription: Subscription) -> Response:
    return Response({"data": {"webhook": webhook_json(subscription)}})


def secret_json(subscription: Subscription, fresh: str) -> dict[str, str]:
    """What the receiver checks signatures with, where it is a secret: shown this one time."""
    is_secret = subscription.signature == Subscription.Signature.SHARED
    return {"secret": fresh} if is_secret else {"public_key": fresh}
