"""Deliveries: one with all its attempts, and the organization's last ones."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Right
from integrations.access import load, reach_of
from integrations.forms import VerifyForm
from integrations.health import endpoint_health
from integrations.models import ApiCall, Attempt, Delivery, Event, Lane, RestWebhook, Source
from integrations.outbox import hints
from integrations.problems import Refusal
from integrations.services.replays import send_again
from integrations.verifying import SIGNED_BY, verify_signature

SHOWN = 50


@dataclass(frozen=True)
class AttemptView:
    """One attempt with what people copy of it."""

    attempt: Attempt
    mark: str
    body: str
    curl: str
    steps: str


MARKS = {"delivered": "ok", "retrying": "bad", "failed": "bad", "cancelled": "off", "late": "warn"}


@login_required
@require_safe
def delivery(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Event, each attempt as it was sent, the answer, and why the next attempt is when it is."""
    rows = Attempt.objects.visible_to(request.user).filter(delivery_id=delivery_id)
    attempts = list(rows.order_by("-id")[:SHOWN])
    waiting = Delivery.objects.visible_to(request.user).filter(pk=delivery_id).first()
    if not attempts and waiting is None:
        raise Http404
    one = waiting or attempts[0]
    event = Event.objects.visible_to(request.user).filter(pk=one.event_id).first()
    source = load(Source.objects.select_related("parent"), request, one.source_id)
    body = next((attempt.request_body for attempt in reversed(attempts) if attempt.request_body), "")
    headers = attempts[-1].request_headers if attempts else {}
    signed = {name: headers.get(f"webhook-{name}", "") for name in SIGNED_BY} | {"body": body}
    values = {
        "delivery_id": delivery_id,
        "verify_form": VerifyForm(initial=signed),
        "event": event,
        "event_type": one.event_type,
        "source": source,
        "waiting": waiting,
        "is_aside": one.is_aside,
        "lane": Lane.objects.filter(pk=one.lane_id).first(),
        "attempts": [_view(attempt, body) for attempt in attempts],
        "body": _pretty(body),
        "shows_all": _may_see_all(request, source),
        "may_configure": reach_of(request.user, Right.CONFIGURE).includes(source),
    }
    return render(request, "integrations/delivery_page.html", values)


def _may_see_all(request: HttpRequest, source: Source) -> bool:
    """URL, headers and answers belong to whoever may configure the card that owns them; others read the outcome."""
    card = RestWebhook.objects.with_owner().get(source=source)
    return reach_of(request.user, Right.CONFIGURE).includes(card.owner.source)


@login_required
@require_POST
def delivery_retry(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Let an open delivery's next attempt be now."""
    found = load(Delivery.objects.all(), request, delivery_id, Right.CONFIGURE)
    Delivery.objects.filter(pk=found.pk, claim=None, next_attempt_at__isnull=False).update(next_attempt_at=Now())
    Lane.objects.filter(pk=found.lane_id).update(next_due_at=Now())
    hints.send(Lane.Kind.WEBHOOK)
    Actor.of(request).record(
        "delivery.retry", organization=found.organization_id, target=found.event_type, source_id=found.source_id
    )
    return redirect("integrations:delivery", delivery_id)


@login_required
@require_POST
def delivery_again(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Send the event of an ended delivery once more, as a delivery of its own with the same webhook-id."""
    last = Attempt.objects.visible_to(request.user, Right.CONFIGURE).filter(delivery_id=delivery_id).first()
    if last is None:
        raise Http404
    card = get_object_or_404(RestWebhook.objects.with_owner(), lane=last.lane_id)
    try:
        again = send_again(delivery_id=delivery_id, card=card, actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("integrations:delivery", delivery_id)
    return redirect("integrations:delivery", again.pk)


@login_required
@require_POST
def delivery_verify(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Say whether a pasted signature is ours, and with which of the endpoint's secrets it was made."""
    last = Attempt.objects.visible_to(request.user, Right.CONFIGURE).filter(delivery_id=delivery_id).first()
    if last is None:
        raise Http404
    card = get_object_or_404(RestWebhook.objects.with_owner(), lane=last.lane_id)
    if not reach_of(request.user, Right.CONFIGURE).includes(card.owner.source):
        raise PermissionDenied(f"This needs the right to configure {card.owner.source}.")
    form = VerifyForm(request.POST)
    verdict = verify_signature(card.owner, **form.cleaned_data) if form.is_valid() else None
    values = {"verify_form": form, "verdict": verdict, "delivery_id": delivery_id}
    page = "integrations/_verify.html" if request.htmx else "integrations/verify_page.html"  # type: ignore[attr-defined]
    return render(request, page, values)


@login_required
@require_safe
def api_call(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """One call of the API: who called, what for, and how it was answered. Bodies are not kept."""
    call = load(ApiCall.objects.all(), request, call_id)
    sources = Source.objects.visible_to(request.user)
    source = sources.filter(pk=call.source_id).first() if call.source_id else None
    return render(request, "integrations/api_call_page.html", {"call": call, "source": source})


@login_required
@require_safe
def health(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """How an endpoint did in the last day: success, times, what waits."""
    source = load(Source.objects.select_related("parent"), request, source_id)
    card = RestWebhook.objects.with_owner().select_related("lane").get(source=source)
    values = {"source": source, "card": card, "health": endpoint_health(card.lane)}
    return render(request, "integrations/health_page.html", values)


@login_required
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """The organization's last attempts."""
    membership = request.membership  # type: ignore[attr-defined]
    rows = Attempt.objects.visible_to(request.user)
    rows = rows.filter(organization_id=membership.organization_id) if membership else rows.none()
    outcome = request.GET.get("outcome", "")
    if outcome in Attempt.Outcome.values:
        rows = rows.filter(outcome=outcome)
    attempts = list(rows.order_by("-id")[:SHOWN])
    names = dict(Source.objects.filter(pk__in={one.source_id for one in attempts}).values_list("pk", "name"))
    shown = [(attempt, MARKS[attempt.outcome], names.get(attempt.source_id, "")) for attempt in attempts]
    values = {"attempts": shown, "outcomes": Attempt.Outcome.choices, "outcome": outcome}
    return render(request, "integrations/activity_page.html", values)


def _view(attempt: Attempt, body: str) -> AttemptView:
    headers = " \\\n  ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in attempt.request_headers.items())
    curl = f"curl {shlex.quote(attempt.url)} \\\n  {headers} \\\n  --data-binary {shlex.quote(body)}"
    return AttemptView(
        attempt, MARKS[attempt.outcome], _pretty(attempt.answer_body), curl if attempt.url else "", _steps(attempt)
    )


def _steps(attempt: Attempt) -> str:
    """Where the time went, in words; a kept connection has no look-up and no connect."""
    named = (("DNS", attempt.dns_ms), ("connect", attempt.connect_ms), ("first byte", attempt.first_byte_ms))
    return ", ".join(f"{label} {ms} ms" for label, ms in named if ms is not None)


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
