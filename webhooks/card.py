"""The REST Webhook card: a URL, a secret key for the header, a signing secret, and a lane of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers

from accounts.actors import Actor
from accounts.models import Source
from api.fields import StrictBoolean, StrictString
from core.ids import uuid7
from core.secrets import Secret, make_header_secret, make_signing_secret
from core.ssrf_guard import url_error
from integrations.kinds import OPTIONS, ActivityRow, CardKind, Health, KeyShown, NewSecrets
from outbox.lanes import stops_at
from outbox.models import Lane
from webhooks.event_types import CHOOSABLE
from webhooks.forms import EventTypesForm, WebhookUrlForm
from webhooks.models import Attempt, Delivery, RestWebhook, WebhookSecret
from webhooks.services.endpoints import cancel_deliveries, forget_failures, queue_test, release

SHOWN = 8
PERIOD = timedelta(days=7)
MARKS = {
    Attempt.Outcome.DELIVERED: "ok",
    Attempt.Outcome.RETRYING: "bad",
    Attempt.Outcome.FAILED: "bad",
    Attempt.Outcome.CANCELLED: "off",
    Attempt.Outcome.LATE: "warn",
}


class RestWebhookKind(CardKind[RestWebhook]):
    model = RestWebhook
    template = "webhooks/_card.html"
    icon = "arrow-up-right"
    check_label = "Test webhook"
    summary = "Sends leads and messages of this source to your own system."
    regenerate_label = "Regenerate keys…"
    regenerate_question = "Create new keys for the REST Webhook?"
    key_label = "Secret key and signing secret"
    inherited = "address and keys"
    removed = "keys and URL are removed for good"
    disconnected = "Nothing is sent to your system any more."
    next_step = "Turn it on to start sending."
    cancels = "Waiting deliveries are cancelled."
    related = ("lane",)
    options = (*OPTIONS, "sends_secret_header")
    set_up_fields = ("url",)
    more_fields = ("event_types",)
    reveals = True
    check_includes = "#id_url"

    def add_to(self, source: Source) -> None:
        lane = Lane.objects.create(
            kind=Lane.Kind.WEBHOOK,
            organization_id=source.organization_id,
            max_in_flight=Lane.IN_FLIGHT[Lane.Kind.WEBHOOK],
            held_at=timezone.now(),  # until it is on
        )
        RestWebhook.objects.create(source=source, lane=lane)

    def set_up_form(self, data: Mapping[str, Any]) -> WebhookUrlForm:
        return WebhookUrlForm(data)

    def unsaved_form(self, card: RestWebhook, data: Mapping[str, Any]) -> WebhookUrlForm | None:
        return WebhookUrlForm(data) if "url" in data and not card.inherits else None

    def context(self, card: RestWebhook, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "set_up_form": WebhookUrlForm(initial={"url": card.credential_card.url}),
            "events_form": EventTypesForm(initial={"event_types": card.event_types}),
        }

    def input_fields(self) -> dict[str, Any]:
        help_text = "REST Webhook. On a card that is not set up it makes the keys."
        types = serializers.ChoiceField(choices=[event_type.value for event_type in CHOOSABLE])
        return {
            "url": StrictString(required=False, max_length=2000, help_text=help_text, validators=[validate_url]),
            "event_types": serializers.ListField(child=types, required=False, allow_empty=False),
            "sends_secret_header": StrictBoolean(required=False),
        }

    def shown_fields(self) -> dict[str, Any]:
        return {
            "url": serializers.CharField(required=False, allow_null=True),
            "event_types": serializers.ListField(child=serializers.CharField(), required=False),
            "sends_secret_header": serializers.BooleanField(required=False),
        }

    def shown_values(self, card: RestWebhook, *, may_see_credential: bool) -> dict[str, Any]:
        return {
            "url": (card.credential_card.url if may_see_credential else card.endpoint_host) or None,
            "event_types": list(card.event_types),
            "sends_secret_header": card.sends_secret_header,
        }

    def stops_at(self, card: RestWebhook) -> datetime | None:
        lane = card.lane
        return stops_at(lane.failing_since) if lane.warned_days and lane.failing_since else None

    def make_credential(self, card: RestWebhook, actor: Actor, overlap: timedelta | None) -> NewSecrets:
        replaces = card.secrets.retire(overlap)
        header, signing = make_header_secret(), make_signing_secret()
        WebhookSecret.objects.create(
            card=card, header_secret=Secret.of(header), signing_secret=Secret.of(signing), created_by=actor.user
        )
        return NewSecrets({"Secret key": header, "Signing secret": signing}, replaces)

    def clear_credential(self, card: RestWebhook) -> str:
        card.secrets.all().delete()
        host, card.url = card.endpoint_host, ""
        card.save(update_fields=["url"])
        return host

    def switch_header(self, card: RestWebhook) -> None:
        """Send the new secret key from now on; the signature still carries both."""
        card.secrets.exclude(ends_at=None).update(header_ended_at=timezone.now())

    def end_overlap(self, card: RestWebhook) -> None:
        card.secrets.end_overlap()

    def hold(self, card: RestWebhook) -> None:
        Lane.objects.filter(pk=card.lane_id).update(held_at=Now())

    def release(self, card: RestWebhook) -> None:
        release(card)

    def cancel(self, card: RestWebhook) -> None:
        # The card's row is locked, so no publisher is between its look and its commit: all that waits is here.
        cancel_deliveries(Delivery.objects.filter(lane=card.lane_id), "The card was disconnected")
        forget_failures(card)

    def check(self, card: RestWebhook, actor: Actor) -> None:
        if not card.is_set_up:
            card.record_check(ok=False, title="Not set up.", detail="There is no URL and key to test yet.")
            return
        if not self.is_checking(card):
            queue_test(card, actor)

    def is_checking(self, card: RestWebhook) -> bool:
        return card.is_checking

    def keys(self, card: RestWebhook) -> list[KeyShown]:
        rows = sorted(card.secrets.active().select_related("created_by"), key=lambda secret: secret.ends_at is not None)
        return [
            KeyShown(label, "••••••••••••", secret.created_at, str(secret.created_by or "Leadwire"), secret.ends_at)
            for secret in rows
            for label in ("Secret key", "Signing secret")
        ]

    def health(self, card: RestWebhook) -> Health:
        lane = card.lane
        waiting = Delivery.objects.filter(lane=lane, is_test=False)[:1001].count()
        wait = f"{_many(waiting)} waiting" if waiting else ""
        if lane.stopped_at:
            return Health("stopped", "Stopped", f"{lane.stopped_because}. {wait}".strip(), lane.stopped_at)
        if lane.failing_since:
            ahead = Delivery.objects.filter(lane=lane, next_attempt_at__isnull=False, is_test=False)
            first = ahead.order_by("next_attempt_at").first()
            detail = ", ".join(filter(None, [lane.last_error, wait]))
            moments = [moment for moment in (first and first.next_attempt_at, lane.open_until) if moment]
            return Health("failing", "Failing", detail, lane.failing_since, max(moments) if first else None)
        if lane.last_ok_at:
            return Health("ok", "Working", wait, lane.last_ok_at)
        return Health("none", "No traffic yet", wait)

    def activity(self, card: RestWebhook) -> list[ActivityRow]:
        rows: list[ActivityRow] = []
        seen: set[UUID] = set()
        for attempt in Attempt.objects.filter(lane_id=card.lane_id).order_by("-id")[: SHOWN * 4]:
            if attempt.delivery_id not in seen and len(rows) < SHOWN:
                seen.add(attempt.delivery_id)
                rows.append(_row(attempt))
        waiting = [
            ActivityRow("off", "waiting", delivery.event_type, delivery.created_at, _url(delivery.pk))
            for delivery in Delivery.objects.filter(lane=card.lane_id, attempts=0).order_by("-id")[:3]
        ]
        return (waiting + rows)[:SHOWN]

    def activity_summary(self, card: RestWebhook) -> str:
        week = Attempt.objects.filter(lane_id=card.lane_id, id__gte=uuid7(timezone.now() - PERIOD), is_test=False)
        delivered = week.filter(outcome=Attempt.Outcome.DELIVERED)[:1001].count()
        waiting = Delivery.objects.filter(lane=card.lane_id, is_test=False)[:1001].count()
        return f"last 7 days: {_many(delivered)} delivered, {_many(waiting)} waiting"


def _row(attempt: Attempt) -> ActivityRow:
    outcome = str(attempt.status_code or ("cancelled" if attempt.outcome == Attempt.Outcome.CANCELLED else "failed"))
    mark, url = MARKS[Attempt.Outcome(attempt.outcome)], _url(attempt.delivery_id)
    return ActivityRow(mark, outcome, attempt.event_type, attempt.started_at, url)


def _url(delivery_id: UUID) -> str:
    return reverse("webhooks:delivery", args=[delivery_id])


def _many(number: int) -> str:
    return "over 1,000" if number > 1000 else str(number)


def validate_url(url: str) -> None:
    if error := url_error(url):
        raise serializers.ValidationError(error, code="url")


KIND = RestWebhookKind()
