"""The event feed: an organization's events, numbered without gaps, for consumers that cannot receive webhooks.

Ids and clocks are taken before commit and do not order: a number is given after the commit, by one sequencer.
"""

from __future__ import annotations

from django.db import models


class PendingFeedEntry(models.Model):
    """An event that has no number yet. Written with the event, deleted by the sequencer."""

    event_id = models.UUIDField(primary_key=True)
    organization_id = models.UUIDField()
    source_id = models.UUIDField(null=True)


class FeedHead(models.Model):
    """The last number that an organization's feed gave out."""

    organization_id = models.UUIDField(primary_key=True)
    position = models.BigIntegerField()


class FeedEntry(models.Model):
    """One event's place in its organization's feed."""

    ROWS_KEPT_BY = "EVENTS_KEPT_DAYS"  # an entry goes with its event

    event_id = models.UUIDField(primary_key=True)
    organization_id = models.UUIDField()
    position = models.BigIntegerField()
    source_id = models.UUIDField(null=True)

    class Meta:
        verbose_name_plural = "feed entries"
        constraints = [models.UniqueConstraint(fields=["organization_id", "position"], name="feed_position_once")]
