"""How many calls were made in a window of time."""

from __future__ import annotations

from django.db import models


class RateLimitWindow(models.Model):
    """How many calls one principal made in its minute and its hour (see rates.py). The table is UNLOGGED."""

    EXPIRES = "hour_at < now() - interval '2 hours'"

    key = models.CharField(max_length=200, primary_key=True)
    minute_at = models.DateTimeField()
    minute_count = models.IntegerField()
    hour_at = models.DateTimeField()
    hour_count = models.IntegerField()
