"""Tell people that an endpoint only fails, before it is stopped and when it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts import letters
from accounts.models import Letter, Membership, User
from core.ids import encode, moment
from outbox.lanes import STOPS_AFTER, stops_at
from outbox.models import Lane
from outbox.schedule import scaled
from webhooks.endpoints import find_listener
from webhooks.event_types import EventType
from webhooks.models import Listener
from webhooks.publishing import Happening, publish


def tell_of_trouble(lane_id: UUID) -> timedelta | None:
    """Write to those who may configure the source, and publish an event for the other endpoints."""
    listener = find_listener(lane_id)
    if listener is None or (listener.lane.failing_since is None and listener.lane.stopped_at is None):
        return None
    if listener.lane.stopped_at:
        _keep_the_stop(listener)
    else:
        _publish_the_warning(listener)
    _post(listener)
    return None


def missing_since(listener: Listener) -> datetime | None:
    """From when on a stopped endpoint may have missed events; None for one that is not stopped."""
    lane = listener.lane
    if lane.stopped_at is None or lane.missed_since is not None:
        return lane.missed_since
    # A delivery lives as long as it may fail; what happened while a person had it off was not missed.
    begun = (lane.failing_since or lane.stopped_at) - scaled(STOPS_AFTER)
    return max(begun, listener.enabled_at) if listener.enabled_at else begun


@transaction.atomic
def _publish_the_warning(listener: Listener) -> None:
    """Publish, once for each warning, that an endpoint has failed for days and when it will be stopped."""
    lane = Lane.objects.select_for_update().get(pk=listener.lane_id)
    if lane.stopped_at or lane.failing_since is None or lane.warned_days <= lane.published_days:
        return
    lane.published_days = lane.warned_days
    lane.save(update_fields=["published_days"])
    _publish(
        EventType.WEBHOOK_FAILING,
        listener,
        reason=lane.last_error,
        failing_since=moment(lane.failing_since),
        failing_days=lane.warned_days,
        stops_at=moment(stops_at(lane.failing_since)),
    )


@transaction.atomic
def _keep_the_stop(listener: Listener) -> None:
    """Remember from when on events were missed, and publish the stop, once."""
    lane = Lane.objects.select_for_update().get(pk=listener.lane_id)
    if lane.stopped_at is None or lane.missed_since is not None:
        return
    lane.missed_since = missing_since(listener)
    lane.save(update_fields=["missed_since"])
    _publish(
        EventType.WEBHOOK_DISABLED,
        listener,
        reason=lane.stopped_because,
        failing_since=moment(lane.failing_since),
        stopped_at=moment(lane.stopped_at),
    )


def _publish(event_type: EventType, listener: Listener, **details: object) -> None:
    publish(
        Happening(
            type=event_type,
            organization_id=listener.owning_organization_id,
            source_id=listener.home_source_id,
            payload={**_identity(listener), "endpoint": listener.endpoint_host, **details},
        )
    )


def _identity(listener: Listener) -> dict[str, str]:
    """Whose webhook it is: a source's card, or a subscription."""
    if listener.home_source_id:
        return {"source_id": encode("src", listener.home_source_id)}
    return {"webhook_id": encode("wh", listener.pk)}


def _post(listener: Listener) -> None:
    lane = listener.lane
    since = lane.stopped_at or lane.failing_since
    letters.post(
        "trouble",
        about=listener.lane_id,
        to=configurers_of(listener),
        organization_id=listener.owning_organization_id,
        occasion=f"{since}:{lane.warned_days}:{bool(lane.stopped_at)}",
    )


def write_of_trouble(letter: Letter) -> letters.Words | None:
    """Say what fails, and what happens next. None when it works again."""
    listener = find_listener(letter.about_id)
    if listener is None or (listener.lane.failing_since is None and listener.lane.stopped_at is None):
        return None
    what = "was stopped" if listener.lane.stopped_at else "has been failing"
    subject = f"{listener.title[:1].upper()}{listener.title[1:]} {what}"
    url = f"{settings.BASE_URL}{listener.page_url}"
    return letters.written(subject, "mail/endpoint_trouble.txt", listener=listener, lane=listener.lane, url=url)


def configurers_of(listener: Listener) -> list[User]:
    """The people who may configure a webhook."""
    rows = Membership.objects.current().filter(organization=listener.owning_organization_id, user__is_active=True)
    people = [membership.user for membership in rows.select_related("user")]
    return [user for user in people if listener.may_configure(user)]
