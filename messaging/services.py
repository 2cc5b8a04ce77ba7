"""What people do with channel connections."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import Source
from messaging.models import ChannelConnection
from messaging.models.connections import make_local_part
from outbox.models import Lane


def add_connections(source: Source) -> None:
    """Give a new source its mail address, which is its default, and its website form."""
    kinds = ChannelConnection.Kind
    ChannelConnection.objects.create(
        organization=source.organization,
        source=source,
        lane=_make_lane(source),
        kind=kinds.EMAIL,
        name=source.name[:100],
        local_part=make_local_part(),
        default_at=timezone.now(),
    )
    ChannelConnection.objects.create(
        organization=source.organization,
        source=source,
        lane=_make_lane(source, is_held=True),  # it only receives
        kind=kinds.WEBSITE,
        name="Website form",
    )


def _make_lane(source: Source, *, is_held: bool = False) -> Lane:
    return Lane.objects.create(
        kind=Lane.Kind.CHANNEL,
        organization_id=source.organization_id,
        max_in_flight=Lane.IN_FLIGHT[Lane.Kind.CHANNEL],
        held_at=timezone.now() if is_held else None,
    )
