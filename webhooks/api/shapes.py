"""What webhooks look like in the API: their input, and the typed functions of the answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from accounts.models import Membership
from api.fields import StrictBoolean, StrictString, WholeObject
from core.ids import decode, encode, rfc3339
from core.problems import Invalid, NotFound, Refusal
from core.secrets import MASK
from core.ssrf_guard import url_error
from core.text import pointer_part
from webhooks.client_certificates import PEM_MAX, certificate_error, subject_of
from webhooks.custom_headers import header_errors
from webhooks.event_samples import sample_of
from webhooks.event_types import SUBSCRIBABLE, EventType
from webhooks.models import Attempt, Delivery, Subscription
from webhooks.services.subscriptions import sources_beyond, verifier_of

SOURCES_MAX = 1_000
ATTEMPTS_SHOWN = 20


class WebhookInput(serializers.Serializer[Any]):
    class BasicAuth(WholeObject):
        username = StrictString(max_length=200)
        password = StrictString(max_length=200, trim_whitespace=False)

    class ClientCertificate(WholeObject):
        certificate = StrictString(max_length=PEM_MAX, help_text="PEM, with its chain.")
        key = StrictString(max_length=PEM_MAX, help_text="PEM, without a password.")

    name = StrictString(max_length=100)
    url = StrictString(max_length=2000)
    event_types = serializers.ListField(
        child=serializers.CharField(help_text="See /v1/webhooks/events."), allow_empty=False, max_length=50
    )
    source_ids = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=SOURCES_MAX,
        help_text="Only these sources; a business includes its locations. Empty: all that the creator may see.",
    )
    enabled = StrictBoolean(required=False, help_text="Default true.")
    ordered = StrictBoolean(required=False, help_text="Default true: the events of a conversation wait for each other.")
    include_source_name = StrictBoolean(required=False, help_text="Default true.")
    signature = serializers.ChoiceField(choices=Subscription.Signature.choices, required=False)
    headers = serializers.DictField(child=StrictString(), required=False, allow_null=True)
    basic_auth = BasicAuth(required=False, allow_null=True)
    client_certificate = ClientCertificate(required=False, allow_null=True)

    def validate_url(self, url: str) -> str:
        if error := url_error(url):
            raise serializers.ValidationError(error, code="url")
        return url

    def validate_headers(self, headers: dict[str, str] | None) -> dict[str, str] | None:
        if errors := header_errors(headers or {}):
            raise serializers.ValidationError({pointer_part(name): [error] for name, error in errors.items()})
        return headers

    def validate_client_certificate(self, given: dict[str, str] | None) -> dict[str, str] | None:
        if given and (error := certificate_error(given["certificate"], given["key"])):
            raise serializers.ValidationError(error, code="certificate")
        return given

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("basic_auth") and any(name.lower() == "authorization" for name in data.get("headers") or {}):
            raise serializers.ValidationError({"headers": ["Authorization is set by basic_auth."]}, code="twice")
        return data

    @classmethod
    def settings(cls, data: dict[str, Any], creator: Membership) -> dict[str, Any]:
        """Return validated input in the words of the service. Raise Refusal `webHook.invalidEvent`, or Invalid."""
        names = {"enabled": "is_enabled", "ordered": "is_ordered", "include_source_name": "includes_source_name"}
        settings = {names.get(name, name): value for name, value in data.items()}
        if "event_types" in settings:
            settings["event_types"] = cls.check_event_types(settings["event_types"])
        if "source_ids" in settings:
            settings["source_ids"] = _sources(settings["source_ids"], creator)
        if basic := settings.get("basic_auth"):
            settings["basic_auth"] = (basic["username"], basic["password"])
        if certificate := settings.get("client_certificate"):
            settings["client_certificate"] = (certificate["certificate"], certificate["key"])
        return settings

    @staticmethod
    def check_event_types(given: list[str]) -> list[str]:
        """Return the types without repeats. Raise Refusal `webHook.invalidEvent` for what cannot be chosen."""
        bad = [index for index, event_type in enumerate(given) if event_type not in SUBSCRIBABLE]
        if bad:
            detail = "There is no such event. GET /v1/webhooks/events lists them."
            errors = [{"pointer": f"#/event_types/{index}", "detail": detail, "code": "unknown"} for index in bad]
            raise Refusal(400, "webHook.invalidEvent", f"{given[bad[0]][:60]}: {detail}", extra={"errors": errors})
        return list(dict.fromkeys(given))


def _sources(given: list[str], creator: Membership) -> list[UUID]:
    source_ids = {index: decode("src", text) for index, text in enumerate(given)}
    beyond = set(sources_beyond(creator, [source_id for source_id in source_ids.values() if source_id]))
    bad = [index for index, source_id in source_ids.items() if source_id is None or source_id in beyond]
    if bad:
        detail = "There is no such source."
        raise Invalid([{"pointer": f"#/source_ids/{index}", "detail": detail, "code": "notFound"} for index in bad])
    return list(dict.fromkeys(source_id for source_id in source_ids.values() if source_id))


class CertificateShown(serializers.Serializer[Any]):
    subject = serializers.CharField()
    expires_at = serializers.DateTimeField()


class WebhookShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=[event_type.value for event_type in SUBSCRIBABLE])
    )
    source_ids = serializers.ListField(child=serializers.CharField())
    ordered = serializers.BooleanField()
    include_source_name = serializers.BooleanField()
    signature = serializers.ChoiceField(choices=Subscription.Signature.choices)
    public_key = serializers.CharField(allow_null=True, help_text="Of `v1a`.")
    headers = serializers.DictField(child=serializers.CharField(), help_text="Values are masked.")
    basic_auth = inline_serializer("BasicAuthShown", {"username": serializers.CharField()}, allow_null=True)
    client_certificate = CertificateShown(allow_null=True)
    enabled = serializers.BooleanField()
    status = serializers.ChoiceField(choices=["enabled", "disabled", "stopped"])
    status_reason = serializers.CharField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    last_ok_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    old_secret_ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WebhookMade(WebhookShown):
    secret = serializers.CharField(required=False, help_text="Of `v1`: shown this one time.")


class AttemptShown(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=Attempt.Outcome.choices)
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    answer = serializers.CharField(help_text="At most 64 KB of it.")
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    next_because = serializers.CharField(allow_null=True)


class DeliveryShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    event_id = serializers.CharField()
    event_type = serializers.CharField()
    status = serializers.ChoiceField(choices=["open", "delivered", "failed", "cancelled"])
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptShown(many=True)


def _one(name: str, title: str, shape: serializers.Serializer[Any]) -> Any:
    return inline_serializer(title, {"data": inline_serializer(f"{title}Data", {name: shape})})


def _many(name: str, title: str, shape: serializers.BaseSerializer[Any], *, paged: bool = True) -> Any:
    fields: dict[str, Any] = {"data": inline_serializer(f"{title}Data", {name: shape})}
    if paged:
        fields["meta"] = inline_serializer(f"{title}Meta", {"next_cursor": serializers.CharField(allow_null=True)})
    return inline_serializer(title, fields)


WEBHOOK = _one("webhook", "Webhook", WebhookShown())
WEBHOOK_MADE = _one("webhook", "WebhookWithSecret", WebhookMade())
WEBHOOKS = _many("webhooks", "Webhooks", WebhookShown(many=True))
DELIVERY = _one("delivery", "WebhookDelivery", DeliveryShown())
DELIVERIES = _many("deliveries", "WebhookDeliveries", DeliveryShown(many=True))
EVENT_TYPES = _many(
    "events",
    "WebhookEventTypes",
    inline_serializer(
        "WebhookEventType",
        {"type": serializers.CharField(), "description": serializers.CharField(), "sample": serializers.DictField()},
        many=True,
    ),
    paged=False,
)


def webhook_json(webhook: Subscription) -> dict[str, Any]:
    return {
        "id": webhook.public_id,
        "name": webhook.name,
        "url": webhook.url,
        "event_types": list(webhook.event_types),
        "source_ids": [encode("src", source_id) for source_id in webhook.source_ids],
        "ordered": webhook.is_ordered,
        "include_source_name": webhook.includes_source_name,
        "signature": webhook.signature,
        "public_key": verifier_of(webhook),
        "headers": dict.fromkeys(webhook.header_names, MASK),
        "basic_auth": {"username": webhook.basic_username} if webhook.basic_password else None,
        "client_certificate": _certificate_json(webhook.client_certificate),
        "enabled": webhook.is_enabled,
        "status": webhook.status,
        "status_reason": webhook.stopped_because or None if webhook.status == "stopped" else None,
        "failing_since": rfc3339(webhook.lane.failing_since),
        "last_ok_at": rfc3339(webhook.lane.last_ok_at),
        "last_error": webhook.lane.last_error or None,
        "old_secret_ends_at": rfc3339(webhook.overlap_ends_at),
        "created_at": rfc3339(webhook.created_at),
        "updated_at": rfc3339(webhook.updated_at),
    }


def _certificate_json(certificate: str) -> dict[str, Any] | None:
    if not certificate:
        return None
    subject, ends_at = subject_of(certificate)
    return {"subject": subject, "expires_at": rfc3339(ends_at)}


def delivery_of(subscription: Subscription, delivery_id: UUID) -> dict[str, Any]:
    """Return one delivery of a webhook with its attempts, newest first. Raise NotFound."""
    rows = Attempt.objects.filter(delivery_id=delivery_id, lane_id=subscription.lane_id)
    attempts = list(rows.order_by("-id")[:ATTEMPTS_SHOWN])
    waiting = Delivery.objects.filter(pk=delivery_id, lane=subscription.lane_id).first()
    either = waiting or next(iter(attempts), None)
    if either is None:
        raise NotFound("delivery")
    return delivery_json(delivery_id, either, waiting, attempts)


def delivery_json(
    delivery_id: UUID, either: Delivery | Attempt, waiting: Delivery | None, attempts: list[Attempt]
) -> dict[str, Any]:
    return {
        "id": encode("dlv", delivery_id),
        "event_id": encode("evt", either.event_id),
        "event_type": either.event_type,
        "status": "open" if waiting else _ended_as(attempts),
        "next_attempt_at": rfc3339(waiting.next_attempt_at) if waiting and waiting.claim is None else None,
        "attempts": [_attempt_json(attempt) for attempt in attempts],
    }


def _ended_as(attempts: list[Attempt]) -> str:
    outcomes = (attempt.outcome for attempt in attempts if attempt.outcome != Attempt.Outcome.LATE)
    return next(outcomes, Attempt.Outcome.FAILED.value)


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": rfc3339(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "error": attempt.error or None,
        "answer": attempt.answer_body,
        "next_attempt_at": rfc3339(attempt.next_attempt_at),
        "next_because": attempt.next_because or None,
    }


def event_type_json(event_type: EventType) -> dict[str, Any]:
    return {"type": event_type.value, "description": str(event_type.label), "sample": sample_of(event_type)}
