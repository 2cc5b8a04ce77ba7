"""Outbound messages on their way to a channel."""

from __future__ import annotations

from django.db import models

from outbox.models import Lane, Work


class Dispatch(Work):
    """An outbound message on its way to its channel. Its id is the message's id."""

    lane_kind, plural = Lane.Kind.CHANNEL, "messages"

    organization_id = models.UUIDField()
    source_id = models.UUIDField()
    # Committed just before the provider may take it, and cleared when it is known not to have: an attempt that finds it
    # set cannot know whether the message went out before.
    dialled_at = models.DateTimeField(null=True)

    class Meta(Work.Meta):
        abstract = False
        verbose_name_plural = "dispatches"
        indexes = [*Work.Meta.indexes]
