"""Tell people that an endpoint only fails, before it is stopped and when it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.ids import encode, moment
from accounts.models import Membership, Right, User
from integrations.access import reach_of
from integrations.event_types import EventType
from integrations.models import Lane, RestWebhook, Source
from integrations.outbox.health import STOPS_AFTER
from integrations.outbox.publishing import Happening, publish
from integrations.outbox.schedule import scaled


def tell_of_trouble(lane_id: UUID) -> timedelta | None:
    """Mail those who may configure the source; of a stop there is also an event for the other endpoints."""
    card = RestWebhook.objects.with_owner().select_related("lane").filter(lane=lane_id).first()
    if card is None or (card.lane.failing_since is None and card.lane.stopped_at is None):
        return None
    if card.lane.stopped_at:
        _keep_the_stop(card)
    _mail(card)
    return None


def missing_since(card: RestWebhook) -> datetime | None:
    """From when on a stopped endpoint may have missed events; None for one that is not stopped."""
    lane = card.lane
    if lane.stopped_at is None or lane.missed_since is not None:
        return lane.missed_since
    # A delivery lives as long as it may fail; what happened while a person had the card off was not missed.
    begun = (lane.failing_since or lane.stopped_at) - scaled(STOPS_AFTER)
    return max(begun, card.enabled_at) if card.enabled_at else begun


@transaction.atomic
def _keep_the_stop(card: RestWebhook) -> None:
    """Remember from when on events were missed, and publish the stop, once."""
    lane = Lane.objects.select_for_update().get(pk=card.lane_id)
    if lane.stopped_at is None or lane.missed_since is not None:
        return
    lane.missed_since = missing_since(card)
    lane.save(update_fields=["missed_since"])
    publish(
        Happening(
            type=EventType.WEBHOOK_DISABLED,
            organization_id=card.source.organization_id,
            source_id=card.source_id,
            payload={
                "source_id": encode("src", card.source_id),
                "endpoint": card.endpoint_host,
                "reason": lane.stopped_because,
                "failing_since": moment(lane.failing_since),
                "stopped_at": moment(lane.stopped_at),
            },
        )
    )


def _mail(card: RestWebhook) -> None:
    path = reverse("integrations:integrations", args=[card.source_id])
    lane = card.lane
    values = {
        "card": card,
        "lane": lane,
        "source": card.source,
        "url": f"{settings.BASE_URL}{path}",
        "host": card.endpoint_host,
    }
    what = "was stopped" if lane.stopped_at else "has been failing"
    subject = " ".join(f"The webhook of {card.source.name} {what}".split())
    body = render_to_string("mail/endpoint_trouble.txt", values)
    mails = [EmailMessage(subject, body, to=[user.email]) for user in configurers_of(card.source)]
    if mails:
        get_connection().send_messages(mails)


def configurers_of(source: Source) -> list[User]:
    """The people who may configure a source."""
    rows = Membership.objects.current().filter(organization=source.organization_id, user__is_active=True)
    people = [membership.user for membership in rows.select_related("user")]
    return [user for user in people if reach_of(user, Right.CONFIGURE).includes(source)]
