"""Deliveries: one with all its attempts, and the organization's last ones."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source, User
from accounts.reach import load, reach_of
from core.problems import Refusal
from outbox.models import Lane
from webhooks.endpoints import find_endpoint
from webhooks.forms import VerifyForm
from webhooks.models import Attempt, Delivery, Endpoint, Event, RestWebhook
from webhooks.services.endpoints import retry_now
from webhooks.services.replays import send_again
from webhooks.statistics import endpoint_health
from webhooks.verifying import SIGNED_BY, verify_signature

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
def delivery(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """Event, each attempt as it was sent, the answer, and why the next attempt is when it is."""
    shown = _find(request, delivery_id)
    either, endpoint, user = shown.one, shown.endpoint, shown.user
    body = next((attempt.request_body for attempt in reversed(shown.attempts) if attempt.request_body), "")
    headers = shown.attempts[-1].request_headers if shown.attempts else {}
    signed = {name: headers.get(f"webhook-{name}", "") for name in SIGNED_BY} | {"body": body}
    values = {
        "delivery_id": delivery_id,
        "verify_form": VerifyForm(initial=signed),
        "event": Event.objects.filter(pk=either.event_id).first(),
        "event_type": either.event_type,
        "endpoint": endpoint,
        "title": _title(endpoint, user),
        "source": Source.objects.visible_to(user).filter(pk=either.source_id).first() if either.source_id else None,
        "waiting": shown.waiting,
        "is_aside": either.is_aside,
        "lane": Lane.objects.filter(pk=either.lane_id).first(),
        "attempts": [_view(attempt, body) for attempt in shown.attempts],
        "body": _pretty(body),
        "shows_all": bool(endpoint and endpoint.may_see_all(user)),
        "may_configure": bool(endpoint and endpoint.may_configure(user)),
    }
    return render(request, "webhooks/delivery_page.html", values)


def _title(endpoint: Endpoint | None, user: User) -> str:
    """Return the endpoint's name. A subscription's name is shown only with the right to configure it."""
    if endpoint is None:
        return "an endpoint"
    is_shown = endpoint.home_source_id or endpoint.may_configure(user)
    return endpoint.title if is_shown else "a webhook of the organization"


@dataclass(frozen=True)
class SeenDelivery:
    """A delivery that a person may see, open or ended."""

    user: User
    waiting: Delivery | None
    attempts: list[Attempt]
    endpoint: Endpoint | None

    @property
    def one(self) -> Delivery | Attempt:
        return self.waiting or self.attempts[0]


def _find(request: PageRequest, delivery_id: UUID) -> SeenDelivery:
    """Return a delivery that the person may see: of a source they see, or a test of a webhook they configure."""
    user = request.user
    waiting = Delivery.objects.filter(pk=delivery_id).first()
    attempts = list(Attempt.objects.filter(delivery_id=delivery_id).order_by("-id")[:SHOWN])
    if waiting is None and not attempts:
        raise Http404
    either = waiting or attempts[0]
    endpoint = find_endpoint(either.lane_id)
    is_seen = reach_of(user).where(organization="organization_id", source="source_id")
    rows = (Delivery if waiting else Attempt)._default_manager.filter(pk=either.pk).filter(is_seen)
    if not rows.exists() and not (either.source_id is None and endpoint and endpoint.may_configure(user)):
        raise Http404
    return SeenDelivery(user, waiting, attempts, endpoint)


def _to_configure(request: PageRequest, delivery_id: UUID) -> tuple[SeenDelivery, Endpoint]:
    """Do the same for an action. Raise PermissionDenied where the person may only look."""
    shown = _find(request, delivery_id)
    if shown.endpoint is None:
        raise Http404
    if not shown.endpoint.may_configure(shown.user):
        raise PermissionDenied(f"This needs the right to configure {shown.endpoint.title}.")
    return shown, shown.endpoint


@login_required
@require_POST
def delivery_retry(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """Make an open delivery's next attempt now."""
    _, endpoint = _to_configure(request, delivery_id)
    try:
        retry_now(delivery_id=delivery_id, endpoint=endpoint, actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("webhooks:delivery", delivery_id)


@login_required
@require_POST
def delivery_again(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """Send the event of an ended delivery once more, as a delivery of its own with the same webhook-id."""
    _, endpoint = _to_configure(request, delivery_id)
    try:
        again = send_again(delivery_id=delivery_id, endpoint=endpoint, actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("webhooks:delivery", delivery_id)
    return redirect("webhooks:delivery", again.pk)


@login_required
@require_POST
def delivery_verify(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """Say whether a pasted signature is ours, and with which of the endpoint's secrets it was made."""
    shown, endpoint = _to_configure(request, delivery_id)
    if not endpoint.may_see_all(shown.user):
        raise PermissionDenied("This needs the right to configure the card that owns the secret.")
    form = VerifyForm(request.POST)
    verdict = verify_signature(endpoint, **form.cleaned_data) if form.is_valid() else None
    values = {"verify_form": form, "verdict": verdict, "delivery_id": delivery_id}
    page = "webhooks/_verify.html" if request.htmx else "webhooks/verify_page.html"
    return render(request, page, values)


@login_required
@require_safe
def health(request: PageRequest, source_id: UUID) -> HttpResponse:
    """How an endpoint did in the last day: success, times, what waits."""
    source = load(Source.objects.select_related("parent"), request, source_id)
    card = RestWebhook.objects.with_credential_card().select_related("lane").get(source=source)
    values = {"source": source, "card": card, "health": endpoint_health(card.lane)}
    return render(request, "webhooks/health_page.html", values)


@login_required
@require_safe
def activity(request: PageRequest) -> HttpResponse:
    """The organization's last attempts."""
    membership = request.membership
    rows = Attempt.objects.visible_to(request.user)
    rows = rows.filter(organization_id=membership.organization_id) if membership else rows.none()
    outcome = request.GET.get("outcome", "")
    if outcome in Attempt.Outcome.values:
        rows = rows.filter(outcome=outcome)
    attempts = list(rows.order_by("-id")[:SHOWN])
    named = {attempt.source_id for attempt in attempts if attempt.source_id}
    names: dict[UUID | None, str] = dict(Source.objects.filter(pk__in=named).values_list("pk", "name"))
    shown = [(attempt, MARKS[attempt.outcome], names.get(attempt.source_id, "")) for attempt in attempts]
    values = {"attempts": shown, "outcomes": Attempt.Outcome.choices, "outcome": outcome}
    return render(request, "webhooks/activity_page.html", values)


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
