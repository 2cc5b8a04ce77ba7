"""Webhook subscriptions: make, change, switch, test, rotate, delete. Each locks, acts, and is audited."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership, Source
from accounts.rights import Right
from core.problems import Refusal
from core.secrets import Secret, Unreadable, make_private_key, make_signing_secret
from core.ssrf_guard import same_server, shown_url
from outbox.models import Lane
from webhooks.models import Delivery, Subscription, SubscriptionSecret
from webhooks.services.endpoints import cancel_deliveries, queue_test, release
from webhooks.signing import public_key

SUBSCRIPTIONS_MAX = 100  # of one organization: each is asked at every event
PLAIN = ("name", "url", "event_types", "source_ids", "is_ordered", "includes_source_name")
CREDENTIALS = ("headers", "basic_auth", "client_certificate")  # what we prove ourselves with to a server
# A change of these makes *Verified* clear_verification: the last test says nothing about them.
CONNECTING = {"url", "headers", "basic_auth", "client_certificate"}


@transaction.atomic
def subscribe(
    *,
    creator: Membership,
    actor: Actor,
    signature: Subscription.Signature = Subscription.Signature.SHARED,
    is_enabled: bool = True,
    **settings: Any,
) -> tuple[Subscription, str]:
    """Make a subscription. Return it, and what its receiver checks signatures with: the secret, or the public key.

    Raise Refusal `webHook.tooMany`.
    """
    organization = creator.organization
    if Subscription.objects.active().filter(organization=organization).count() >= SUBSCRIPTIONS_MAX:
        raise Refusal(409, "webHook.tooMany", f"An organization has at most {SUBSCRIPTIONS_MAX} webhooks.")
    lane = Lane.objects.create(
        kind=Lane.Kind.WEBHOOK,
        organization_id=organization.pk,
        max_in_flight=Lane.IN_FLIGHT[Lane.Kind.WEBHOOK],
        held_at=None if is_enabled else timezone.now(),
    )
    subscription = Subscription(organization=organization, creator=creator, lane=lane, signature=signature)
    _take(subscription, settings)
    subscription.enabled_at = timezone.now() if is_enabled else None
    subscription.save(force_insert=True)
    shown = _new_secret(subscription)
    _audit(subscription, actor, "make", after=_state(subscription))
    return subscription, shown


@transaction.atomic
def change(*, subscription: Subscription, actor: Actor, **settings: Any) -> Subscription:
    """Change settings. `headers`, `basic_auth` and `client_certificate` are replaced whole; None clears them.

    They belong to a server: another scheme, host or port clears what is not sent along.
    """
    subscription = _locked(subscription)
    before = _state(subscription)
    if "url" in settings and not same_server(subscription.url, settings["url"]):
        settings = {**dict.fromkeys(CREDENTIALS), **settings}
    _take(subscription, settings)
    if CONNECTING & settings.keys():
        subscription.verified_at = subscription.last_check = None
    subscription.save()
    _audit(subscription, actor, "change", before=before, after=_state(subscription))
    return subscription


def _take(subscription: Subscription, settings: dict[str, Any]) -> None:
    for name in PLAIN:
        if name in settings:
            setattr(subscription, name, settings[name])
    if "headers" in settings:
        headers: dict[str, str] = settings["headers"] or {}
        subscription.header_names = list(headers)
        subscription.headers = Secret.of(json.dumps(headers)) if headers else None
    if "basic_auth" in settings:
        username, password = settings["basic_auth"] or ("", None)
        subscription.basic_username = username
        subscription.basic_password = Secret.of(password) if password is not None else None
    if "client_certificate" in settings:
        certificate, key = settings["client_certificate"] or ("", None)
        subscription.client_certificate = certificate
        subscription.client_key = Secret.of(key) if key is not None else None


@transaction.atomic
def switch(*, subscription: Subscription, on: bool, actor: Actor) -> None:
    """Turn it on or off; off, what waits is held. On also ends a stop. Raise Refusal `webHook.orphaned`."""
    subscription = _locked(subscription)
    if on == subscription.is_enabled and not (on and subscription.is_stopped):
        return
    if on and subscription.is_orphaned:
        raise Refusal(409, "webHook.orphaned", f"{subscription.stopped_because}. An owner may take it over.")
    subscription.enabled_at = timezone.now() if on else None
    subscription.save(update_fields=["enabled_at", "updated_at"])
    if on:
        release(subscription)
    else:
        Lane.objects.filter(pk=subscription.lane_id).update(held_at=Now())
    _audit(subscription, actor, "on" if on else "off", before={"enabled": not on}, after={"enabled": on})


@transaction.atomic
def test(*, subscription: Subscription, actor: Actor) -> Delivery:
    """Send a test event, with the webhook on or off. Return the delivery to follow."""
    subscription = _locked(subscription)
    delivery = queue_test(subscription, actor)
    _audit(subscription, actor, "test")
    return delivery


@transaction.atomic
def rotate(*, subscription: Subscription, actor: Actor, overlap: timedelta | None) -> str:
    """Make a new secret, and return what receivers check with. For `overlap` both sign; None ends the old one now."""
    subscription = _locked(subscription)
    subscription.secrets.retire(overlap)
    shown = _new_secret(subscription)
    hours = f"{overlap.total_seconds() / 3600:g} h" if overlap else "none"
    _audit(subscription, actor, "rotate", after={"overlap": hours})
    return shown


@transaction.atomic
def end_overlap(*, subscription: Subscription, actor: Actor) -> None:
    """Sign with the new secret alone from now on."""
    subscription = _locked(subscription)
    subscription.secrets.end_overlap()
    _audit(subscription, actor, "overlap-end")


@transaction.atomic
def transfer(*, subscription: Subscription, by: Membership, actor: Actor) -> None:
    """Make `by` answer for it: it works again, with their limit to sources."""
    subscription = _locked(subscription)
    before, subscription.creator = str(subscription.creator), by
    subscription.save(update_fields=["creator", "updated_at"])
    _audit(subscription, actor, "takeOver", before={"creator": before}, after={"creator": str(by)})


@transaction.atomic
def delete(*, subscription: Subscription, actor: Actor) -> int:
    """Delete it with its secrets; what waits is cancelled, and shows it. Return how many that were."""
    subscription = _locked(subscription)
    before = _state(subscription)
    subscription.secrets.all().delete()
    subscription.deleted_at, subscription.enabled_at = timezone.now(), None
    _take(subscription, {"headers": None, "basic_auth": None, "client_certificate": None})
    subscription.save()
    cancelled = cancel_deliveries(Delivery.objects.filter(lane=subscription.lane_id), "The webhook was deleted")
    Lane.objects.filter(pk=subscription.lane_id).update(held_at=Now(), missed_since=None)
    _audit(subscription, actor, "delete", before=before, after={"cancelled": cancelled})
    return cancelled


def verifier_of(subscription: Subscription) -> str | None:
    """The public key that receivers of `v1a` check with, which is no secret. None for `v1`, and where unreadable."""
    if subscription.signature != Subscription.Signature.ASYMMETRIC:
        return None
    current = next((secret for secret, is_old in subscription.signing_secrets() if not is_old), None)
    try:
        return public_key(current.reveal()) if current else None
    except Unreadable:
        return None


def _new_secret(subscription: Subscription) -> str:
    is_asymmetric = subscription.signature == Subscription.Signature.ASYMMETRIC
    secret = make_private_key() if is_asymmetric else make_signing_secret()
    SubscriptionSecret.objects.create(subscription=subscription, signing_secret=Secret.of(secret))
    return public_key(secret) if is_asymmetric else secret


def _locked(subscription: Subscription) -> Subscription:
    """Read the subscription again, locked. Raise Refusal `webHook.notFound` if it was deleted since."""
    rows = Subscription.objects.active().select_for_update(of=("self",)).select_related("lane", "creator__user")
    fresh = rows.filter(pk=subscription.pk).first()
    if fresh is None:
        raise Refusal(404, "webHook.notFound", "There is no such webhook.")
    return fresh


def sources_beyond(creator: Membership, source_ids: list[UUID]) -> list[UUID]:
    """Those of some sources that a creator may not configure."""
    rows = Source.objects.filter(pk__in=source_ids, organization=creator.organization_id)
    if creator.is_limited:
        rows = rows.filter(pk__in=creator.source_ids)
    known = set(rows.values_list("pk", flat=True)) if creator.may(Right.CONFIGURE) else set()
    return [source_id for source_id in source_ids if source_id not in known]


def _state(subscription: Subscription) -> dict[str, Any]:
    """What the audit log keeps: of the URL only the host, of secrets that they are there."""
    return {
        "name": subscription.name,
        "url": shown_url(subscription.url),
        "event_types": list(subscription.event_types),
        "source_ids": [str(source_id) for source_id in subscription.source_ids],
        "ordered": subscription.is_ordered,
        "headers": list(subscription.header_names),
        "basic_auth": subscription.basic_username,
        "client_certificate": bool(subscription.client_key),
    }


def _audit(subscription: Subscription, actor: Actor, action: str, **states: Any) -> None:
    """`states`: `before` and `after`, as in `Actor.record`."""
    actor.record(f"webhook.{action}", organization=subscription.organization_id, target=subscription, **states)
