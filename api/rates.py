"""How often a principal may call: exact across processes, in one UPSERT for both windows.

Fixed windows from the first call. A refused call counts nothing. The statement commits by itself, so that callers of
one principal wait for each other no longer than it takes, and the table is UNLOGGED: a crash forgives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from core.problems import Refusal

_COUNT = """
INSERT INTO api_ratelimitwindow AS w (key, minute_at, minute_count, hour_at, hour_count)
VALUES (%(key)s, now(), 1, now(), 1)
ON CONFLICT (key) DO UPDATE SET
    minute_at = CASE WHEN w.minute_at <= now() - interval '1 minute' THEN now() ELSE w.minute_at END,
    minute_count = CASE WHEN w.minute_at <= now() - interval '1 minute' THEN 1 ELSE w.minute_count + 1 END,
    hour_at = CASE WHEN w.hour_at <= now() - interval '1 hour' THEN now() ELSE w.hour_at END,
    hour_count = CASE WHEN w.hour_at <= now() - interval '1 hour' THEN 1 ELSE w.hour_count + 1 END
WHERE (w.minute_at <= now() - interval '1 minute' OR w.minute_count < %(minute)s)
    AND (w.hour_at <= now() - interval '1 hour' OR w.hour_count < %(hour)s)
RETURNING {left}
"""
_LEFT = """
minute_count, extract(epoch FROM minute_at + interval '1 minute' - now()),
hour_count, extract(epoch FROM hour_at + interval '1 hour' - now())
"""
_LOOK = f"SELECT {_LEFT} FROM api_ratelimitwindow WHERE key = %(key)s"  # noqa: S608  ours


@dataclass(frozen=True)
class Window:
    """One limit: how many calls it has, how many are left, and in how many seconds it starts over."""

    name: str
    seconds: int
    quota: int
    used: int
    resets_in: float

    @property
    def left(self) -> int:
        return max(0, self.quota - self.used)

    @property
    def is_full(self) -> bool:
        return self.left == 0 and self.resets_in > 0


@dataclass(frozen=True)
class Rate:
    """Where a principal stands, as the headers of every answer say it (draft-ietf-httpapi-ratelimit-headers-10)."""

    minute: Window
    hour: Window
    is_refused: bool = False

    def headers(self) -> dict[str, str]:
        both = (self.minute, self.hour)
        return {
            "RateLimit-Policy": ", ".join(f'"{window.name}";q={window.quota};w={window.seconds}' for window in both),
            "RateLimit": ", ".join(
                f'"{window.name}";r={window.left};t={max(0, math.ceil(window.resets_in))}' for window in both
            ),
        }

    def require(self) -> None:
        """Raise Refusal 429 with the seconds to wait until every full window has started over."""
        if not self.is_refused:
            return
        wait = max([1, *(math.ceil(window.resets_in) for window in (self.minute, self.hour) if window.is_full)])
        detail = f"Too many calls: {self.minute.quota} in a minute and {self.hour.quota} in an hour. Wait {wait} s."
        raise Refusal(429, "rateLimit.exceeded", detail, headers={"Retry-After": str(wait)})


def count_call(principal: str, *, times: int = 1) -> Rate:
    """Count one call of a principal whose limit is `times` the usual one. A full window counts nothing."""
    per_minute, per_hour = settings.LEADWIRE_CALLS_PER_MINUTE * times, settings.LEADWIRE_CALLS_PER_HOUR * times
    return count(principal, per_minute, per_hour)


def limit(key: str, *, per_minute: int) -> None:
    """Count one of `key`. Raise Refusal 429 with Retry-After when it is more than so many in a minute."""
    count(key, per_minute, per_minute * 60).require()


def count(key: str, per_minute: int, per_hour: int) -> Rate:
    """Count one of `key`, whatever that names, unless one of its windows is full."""
    values: dict[str, Any] = {"key": key, "minute": per_minute, "hour": per_hour}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(left=_LEFT), values)
        row = cursor.fetchone()
        is_refused = row is None
        if row is None:
            cursor.execute(_LOOK, values)
            row = cursor.fetchone() or (0, 0, 0, 0)
    minute = Window("minute", 60, per_minute, row[0], float(row[1]))
    hour = Window("hour", 3600, per_hour, row[2], float(row[3]))
    return Rate(minute, hour, is_refused)
