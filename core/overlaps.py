"""Keys that go on working for a while after a newer key replaced them."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from django.db import models
from django.utils import timezone

K = TypeVar("K", bound=models.Model)


class EndingQuerySet(models.QuerySet[K]):
    def active(self) -> Self:
        return self.filter(models.Q(ends_at=None) | models.Q(ends_at__gt=timezone.now()))

    def end_overlap(self) -> None:
        """End the keys that a newer key has replaced, now."""
        self.exclude(ends_at=None).delete()

    def retire(self, overlap: timedelta | None) -> bool:
        """End the current key after `overlap`, or now if it is None. Return whether there was a current key.

        A key that was already in its overlap ends now: no more than two keys work at a time.
        """
        self.end_overlap()
        current = self.filter(ends_at=None)
        if overlap:
            return current.update(ends_at=timezone.now() + overlap) > 0
        return current.delete()[0] > 0


OVERLAPS = {"": None, "1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
