"""The REST Webhook card: a URL, a secret key for the header, a signing secret, and a lane of the outbox."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from core.ids import uuid7
from core.overlaps import ends_after
from core.secrets import Secret, make_header_secret, make_signing_secret
from integrations.cards.base import ActivityRow, CardKind, Health, KeyShown, Made
from integrations.models import Attempt, Delivery, Lane, RestWebhook, WebhookSecret
from integrations.outbox.ending import cancel_deliveries, forget_failures, release
from integrations.outbox.testing import queue_test

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
    template = "integrations/_rest_webhook_card.html"
    icon = "arrow-up-right"
    check_label = "Test webhook"
    summary = "Sends leads and messages of this source to your own system."
    regenerate_label = "Regenerate keys…"
    related = ("lane",)

    def make_credential(self, card: RestWebhook, actor: Actor, overlap: timedelta | None) -> Made:
        card.secrets.exclude(ends_at=None).delete()
        current = card.secrets.filter(ends_at=None)
        replaces = current.exists()
        if overlap:
            current.update(ends_at=ends_after(overlap))
        else:
            current.delete()
        header, signing = make_header_secret(), make_signing_secret()
        WebhookSecret.objects.create(
            card=card, header_secret=Secret.of(header), signing_secret=Secret.of(signing), created_by=actor.user
        )
        return Made({"Secret key": header, "Signing secret": signing}, replaces)

    def clear_credential(self, card: RestWebhook) -> str:
        card.secrets.all().delete()
        host, card.url = card.endpoint_host, ""
        card.save(update_fields=["url"])
        return host

    def switch_header(self, card: RestWebhook) -> None:
        """Send the new secret key from now on; the signature still carries both."""
        card.secrets.exclude(ends_at=None).update(header_ended_at=timezone.now())

    def end_overlap(self, card: RestWebhook) -> None:
        card.secrets.exclude(ends_at=None).delete()

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
            card.keep_check(ok=False, title="Not set up.", detail="There is no URL and key to test yet.")
            return
        if not self.is_checking(card):
            queue_test(card, actor)

    def is_checking(self, card: RestWebhook) -> bool:
        return card.is_checking

    def keys(self, card: RestWebhook) -> list[KeyShown]:
        rows = sorted(card.secrets.live().select_related("created_by"), key=lambda one: one.ends_at is not None)
        return [
            KeyShown(label, "••••••••••••", one.created_at, str(one.created_by or "Leadwire"), one.ends_at)
            for one in rows
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
            moments = [one for one in (first and first.next_attempt_at, lane.open_until) if one]
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
            ActivityRow("off", "waiting", one.event_type, one.created_at, _url(one.pk))
            for one in Delivery.objects.filter(lane=card.lane_id, attempts=0).order_by("-id")[:3]
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
    return reverse("integrations:delivery", args=[delivery_id])


def _many(number: int) -> str:
    return "over 1,000" if number > 1000 else str(number)
