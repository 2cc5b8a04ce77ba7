"""Keys that go on working for a while after a newer key replaced them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.db import models
from django.utils import timezone


def ends_after(overlap: timedelta) -> datetime:
    return timezone.now() + overlap


K = TypeVar("K", bound=models.Model)


class EndingQuerySet(models.QuerySet[K]):
    def active(self) -> Self:
        return self.filter(models.Q(ends_at=None) | models.Q(ends_at__gt=timezone.now()))


OVERLAPS = {"": None, "1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
