"""When a failed delivery is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from outbox.schedule import scaled

MAX_ATTEMPTS = 10
# The gap before each attempt: 75.6 hours in all.
GAPS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1  # of the gap; it only adds
RETRY_AFTER_MAX = timedelta(hours=24)
STEPS_ASIDE_AFTER = 4  # failed attempts, some 35 minutes: then the next events of the conversation go ahead
STEPS_ASIDE_FOR = timedelta(hours=1)  # a receiver that asks for more than this blocks no conversation either
GIVES_UP_AFTER = timedelta(days=5)  # after the delivery was made


@dataclass(frozen=True)
class Retry:
    after: timedelta
    because: str


def next_try(attempts: int, *, retry_after: timedelta | None = None) -> Retry | None:
    """Return when to try again after `attempts` failed ones, or None when that was the last.

    `retry_after` is what the receiver asked for on 429 or 503: never earlier, at most 24 hours. It waits the schedule's
    gap at least, so that a receiver that asks for nothing is not called in a circle.
    """
    if retry_after is None and attempts >= MAX_ATTEMPTS:
        return None
    gap = scaled(GAPS[min(attempts, MAX_ATTEMPTS - 1)])
    gap += gap * JITTER * random.random()  # noqa: S311
    if retry_after is not None:
        return Retry(max(gap, min(retry_after, RETRY_AFTER_MAX)), "the receiver asked for it (Retry-After)")
    return Retry(gap, f"attempt {attempts + 1} of {MAX_ATTEMPTS}")


def steps_aside(attempts: int, wait: timedelta) -> bool:
    """True when a refused head of a conversation lets the next ones go ahead, out of order."""
    return attempts >= STEPS_ASIDE_AFTER or wait > scaled(STEPS_ASIDE_FOR)


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """Read a Retry-After header, seconds or a date (RFC 9110, 10.2.3). None when it is neither or in the past."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), int(RETRY_AFTER_MAX.total_seconds())))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(wait, RETRY_AFTER_MAX) if wait > timedelta(0) else None
