"""Settings: the organization's webhooks. Shown to owners; managers see those that they made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Membership
from accounts.rights import Right
from core.overlaps import OVERLAPS
from core.problems import Refusal
from core.secrets import Unreadable
from webhooks.models import Attempt, Subscription
from webhooks.services import subscriptions
from webhooks.statistics import EndpointHealth, endpoint_health
from webhooks.subscription_forms import SubscriptionForm

ATTEMPTS_SHOWN = 20
MARKS = {"enabled": ("ok", "On"), "disabled": ("off", "Off"), "stopped": ("bad", "Stopped")}


@dataclass(frozen=True)
class WebhookRow:
    """One webhook in the list, with how its last day went."""

    webhook: Subscription
    mark: str
    state: str
    health: EndpointHealth


@login_required
@never_cache
@require_safe
def webhooks(request: PageRequest) -> HttpResponse:
    """All webhooks that the person may configure, each with its health."""
    mine = membership_with(request, Right.CONFIGURE)
    subscriptions_shown = _webhooks(request).filter(organization=mine.organization).order_by("-id")
    rows = [WebhookRow(webhook, *_state(webhook), endpoint_health(webhook.lane)) for webhook in subscriptions_shown]
    return render(request, "webhooks/webhooks_page.html", {"rows": rows})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_create(request: PageRequest) -> HttpResponse:
    """Make a webhook; its secret is shown on the answer."""
    mine = membership_with(request, Right.CONFIGURE)
    form = SubscriptionForm(request.POST or None, creator=mine)
    if request.method == "POST" and form.is_valid():
        try:
            subscription, shown = subscriptions.subscribe(creator=mine, actor=Actor.of(request), **form.settings())
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return _page(request, subscription, fresh=shown)
    return render(request, "webhooks/webhook_form_page.html", {"form": form})


@login_required
@never_cache
@require_safe
def webhook(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """One webhook: its state, its health, its last deliveries, and what can be done with it."""
    return _page(request, load_webhook(request, webhook_id))


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_edit(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    subscription = load_webhook(request, webhook_id)
    form = SubscriptionForm(request.POST or None, creator=subscription.creator, subscription=subscription)
    if request.method == "POST" and form.is_valid():
        try:
            subscriptions.change(subscription=subscription, actor=Actor.of(request), **form.settings())
        except (Refusal, Unreadable) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("webhooks:webhook", subscription.pk)
    return render(request, "webhooks/webhook_form_page.html", {"form": form, "webhook": subscription})


@login_required
@require_POST
def webhook_switch(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """The switch: `enabled` is 1 or 0."""
    subscription = load_webhook(request, webhook_id)
    return _do(request, subscription, subscriptions.switch, on=request.POST.get("enabled") == "1")


@login_required
@require_POST
def webhook_test(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    return _do(request, load_webhook(request, webhook_id), subscriptions.test)


@login_required
@require_POST
def webhook_transfer(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """An owner keeps a webhook going whose creator goes or went."""
    subscription = load_webhook(request, webhook_id)
    mine = membership_with(request, Right.OWN)
    if subscription.organization_id != mine.organization_id:
        raise Http404
    return _do(request, subscription, subscriptions.transfer, by=mine)


@login_required
@never_cache
@require_POST
def webhook_rotate(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """Make a new secret and show it; button "end": end the overlap now."""
    subscription = load_webhook(request, webhook_id)
    if "end" in request.POST:
        return _do(request, subscription, subscriptions.end_overlap)
    overlap = OVERLAPS.get(request.POST.get("overlap", ""))
    fresh = subscriptions.rotate(subscription=subscription, actor=Actor.of(request), overlap=overlap)
    return _page(request, load_webhook(request, webhook_id), fresh=fresh)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """Say what stops, then delete."""
    subscription = load_webhook(request, webhook_id)
    if request.method == "POST":
        count = subscriptions.delete(subscription=subscription, actor=Actor.of(request))
        waited = f" {count} that waited were cancelled." if count else ""
        messages.success(request, f"Deleted {subscription.name}.{waited}")
        return redirect("webhooks:webhooks")
    health = endpoint_health(subscription.lane)
    return render(request, "webhooks/webhook_delete_page.html", {"webhook": subscription, "health": health})


@login_required
@require_safe
def webhook_secret(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """The signing secret in full."""
    subscription = load_webhook(request, webhook_id)
    if subscription.signature != Subscription.Signature.SHARED:
        raise Http404  # the private key never leaves
    response: HttpResponse = _reveal(request, subscription)
    return response


@never_cache
@reauthentication_required
def _reveal(request: PageRequest, subscription: Subscription) -> HttpResponse:
    """Show the secrets after the person proved themselves again, by any of their factors."""
    Actor.of(request).record("webhook.reveal", organization=subscription.organization_id, target=subscription)
    try:
        secrets = [(secret.reveal(), is_old) for secret, is_old in subscription.signing_secrets()]
    except Unreadable as error:
        messages.error(request, f"{error} Rotate the secret, or ask the operator to put the lost key back.")
        secrets = []
    return render(request, "webhooks/webhook_secret_page.html", {"webhook": subscription, "secrets": secrets})


def load_webhook(request: PageRequest, webhook_id: UUID) -> Subscription:
    subscription: Subscription | None = _webhooks(request).filter(pk=webhook_id).first()
    if subscription is None:
        raise Http404
    return subscription


def _webhooks(request: PageRequest) -> Any:
    rows = Subscription.objects.visible_to(request.user)
    return rows.select_related("lane", "creator__user", "organization").prefetch_related("secrets")


def _do(request: PageRequest, subscription: Subscription, action: Any, **how: Any) -> HttpResponse:
    try:
        action(subscription=subscription, actor=Actor.of(request), **how)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    if request.htmx:
        return _page(request, load_webhook(request, subscription.pk))
    return redirect("webhooks:webhook", subscription.pk)


def _page(request: PageRequest, subscription: Subscription, *, fresh: str = "") -> HttpResponse:
    subscription = load_webhook(request, subscription.pk)
    attempts = Attempt.objects.filter(lane_id=subscription.lane_id).order_by("-id")[:ATTEMPTS_SHOWN]
    membership: Membership | None = request.membership
    mark, state = _state(subscription)
    values = {
        "webhook": subscription,
        "endpoint": subscription,
        "mark": mark,
        "state": state,
        "fresh": fresh,
        "public_key": subscriptions.verifier_of(subscription),
        "health": endpoint_health(subscription.lane),
        "attempts": attempts,
        "overlaps": OVERLAPS,
        "may_take_over": bool(membership and membership.may(Right.OWN) and subscription.creator_id != membership.pk),
    }
    name = "webhooks/_webhook.html" if request.htmx else "webhooks/webhook_page.html"
    return render(request, name, values)


def _state(subscription: Subscription) -> tuple[str, str]:
    return MARKS[subscription.status]
