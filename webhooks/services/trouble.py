"""Tell people that an endpoint only fails, before it is stopped and when it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts import letters
from accounts.models import Letter, Membership, User
from core.ids import encode, rfc3339
from outbox.lanes import STOPS_AFTER, stops_at
from outbox.models import Lane
from outbox.schedule import scaled
from webhooks.endpoints import find_endpoint
from webhooks.event_types import EventType
from webhooks.models import Endpoint
from webhooks.publishing import EventDraft, publish


def tell_of_trouble(lane_id: UUID) -> timedelta | None:
    """Write to those who may configure the source, and publish an event for the other endpoints."""
    endpoint = find_endpoint(lane_id)
    if endpoint is None or (endpoint.lane.failing_since is None and endpoint.lane.stopped_at is None):
        return None
    if endpoint.lane.stopped_at:
        _keep_the_stop(endpoint)
    else:
        _publish_the_warning(endpoint)
    _post(endpoint)
    return None


def missing_since(endpoint: Endpoint) -> datetime | None:
    """From when on a stopped endpoint may have missed events; None for one that is not stopped."""
    lane = endpoint.lane
    if lane.stopped_at is None or lane.missed_since is not None:
        return lane.missed_since
    # A delivery lives as long as it may fail; what happened while a person had it off was not missed.
    begun = (lane.failing_since or lane.stopped_at) - scaled(STOPS_AFTER)
    return max(begun, endpoint.enabled_at) if endpoint.enabled_at else begun


@transaction.atomic
def _publish_the_warning(endpoint: Endpoint) -> None:
    """Publish, once for each warning, that an endpoint has failed for days and when it will be stopped."""
    lane = Lane.objects.select_for_update().get(pk=endpoint.lane_id)
    if lane.stopped_at or lane.failing_since is None or lane.warned_days <= lane.published_days:
        return
    lane.published_days = lane.warned_days
    lane.save(update_fields=["published_days"])
    _publish(
        EventType.WEBHOOK_FAILING,
        endpoint,
        reason=lane.last_error,
        failing_since=rfc3339(lane.failing_since),
        failing_days=lane.warned_days,
        stops_at=rfc3339(stops_at(lane.failing_since)),
    )


@transaction.atomic
def _keep_the_stop(endpoint: Endpoint) -> None:
    """Remember from when on events were missed, and publish the stop, once."""
    lane = Lane.objects.select_for_update().get(pk=endpoint.lane_id)
    if lane.stopped_at is None or lane.missed_since is not None:
        return
    lane.missed_since = missing_since(endpoint)
    lane.save(update_fields=["missed_since"])
    _publish(
        EventType.WEBHOOK_DISABLED,
        endpoint,
        reason=lane.stopped_because,
        failing_since=rfc3339(lane.failing_since),
        stopped_at=rfc3339(lane.stopped_at),
    )


def _publish(event_type: EventType, endpoint: Endpoint, **details: object) -> None:
    publish(
        EventDraft(
            type=event_type,
            organization_id=endpoint.owning_organization_id,
            source_id=endpoint.home_source_id,
            payload={**_identity(endpoint), "endpoint": endpoint.endpoint_host, **details},
        )
    )


def _identity(endpoint: Endpoint) -> dict[str, str]:
    """Whose webhook it is: a source's card, or a subscription."""
    if endpoint.home_source_id:
        return {"source_id": encode("src", endpoint.home_source_id)}
    return {"webhook_id": encode("wh", endpoint.pk)}


def _post(endpoint: Endpoint) -> None:
    lane = endpoint.lane
    since = lane.stopped_at or lane.failing_since
    letters.post(
        "trouble",
        about=endpoint.lane_id,
        to=configurers_of(endpoint),
        organization_id=endpoint.owning_organization_id,
        occasion=f"{since}:{lane.warned_days}:{bool(lane.stopped_at)}",
    )


def write_of_trouble(letter: Letter) -> letters.LetterText | None:
    """Say what fails, and what happens next. None when it works again."""
    endpoint = find_endpoint(letter.about_id)
    if endpoint is None or (endpoint.lane.failing_since is None and endpoint.lane.stopped_at is None):
        return None
    what = "was stopped" if endpoint.lane.stopped_at else "has been failing"
    subject = f"{endpoint.title[:1].upper()}{endpoint.title[1:]} {what}"
    url = f"{settings.BASE_URL}{endpoint.page_url}"
    return letters.written(subject, "mail/endpoint_trouble.txt", endpoint=endpoint, lane=endpoint.lane, url=url)


def configurers_of(endpoint: Endpoint) -> list[User]:
    """The people who may configure a webhook."""
    rows = Membership.objects.active().filter(organization=endpoint.owning_organization_id, user__is_active=True)
    people = [membership.user for membership in rows.select_related("user")]
    return [user for user in people if endpoint.may_configure(user)]
