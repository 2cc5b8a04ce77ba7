"""How fast a connection sends: at most so many messages in a second, an hour and a day, over all workers."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

from outbox.models import Lane


class Pace(models.Model):
    """The limits of a connection's lane; a lane without one has none. Claims keep to it (messaging/pacing.py)."""

    lane = models.OneToOneField(Lane, primary_key=True, on_delete=models.CASCADE, related_name="pace")
    per_second = models.FloatField(null=True)
    per_hour = models.PositiveIntegerField(null=True)
    per_day = models.PositiveIntegerField(null=True)
    # When the next message may go, as far as the limit of a second says; in the past while nothing was sent for long.
    next_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(per_second__gt=0) | Q(per_hour__gt=0) | Q(per_day__gt=0), name="pace_limits_something"
            )
        ]

    def opens_at(self) -> datetime | None:
        """When the next message may go; None when one may go now."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT opening FROM pace_opening(%s) opening WHERE opening > now()", [self.lane_id])
            row = cursor.fetchone()
        return row[0] if row else None


class PaceHour(models.Model):
    """How many messages a lane sent in one hour of the clock."""

    EXPIRES = "hour < now() - interval '2 days'"

    pk = models.CompositePrimaryKey("lane", "hour")
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    count = models.PositiveIntegerField()


class PairPace(models.Model):
    """When a lane may write to one person again, where its provider limits that (messaging/pairs.py)."""

    EXPIRES = "next_at < now() - interval '1 hour'"

    pk = models.CompositePrimaryKey("lane", "person_id")
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="+")
    person_id = models.UUIDField()  # the lead
    next_at = models.DateTimeField()  # of a message that waits its whole time; bursts are lent
