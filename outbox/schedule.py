"""Lengths of time that the whole outbox shares."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings


def scaled(length: timedelta) -> timedelta:
    """Return a length of time as this installation counts it (LEADWIRE_TIME_SCALE; 1 unless something is tried)."""
    return length * float(settings.LEADWIRE_TIME_SCALE)


DEADLINE_SECONDS = scaled(timedelta(seconds=15)).total_seconds()  # for one attempt, with all that belongs to it
LEASE_MARGIN = scaled(timedelta(seconds=5))


STOP_SECONDS = DEADLINE_SECONDS + 3  # how long a stop may take to finish what is in flight
