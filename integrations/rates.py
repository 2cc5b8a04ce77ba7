"""How often a principal may call: exact across processes, in one UPSERT for both windows.

Fixed windows from the first call. A refused call counts nothing. The statement commits by itself, so that callers of
one principal wait for each other no longer than it takes, and the table is UNLOGGED: a crash forgives.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from integrations.problems import Refusal

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
_COUNT = """
INSERT INTO integrations_callwindow AS w (key, minute_at, minute_count, hour_at, hour_count)
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
_LOOK = f"SELECT {_LEFT} FROM integrations_callwindow WHERE key = %(key)s"  # noqa: S608  ours


@dataclass(frozen=True)
class Window:
    """One limit: how many calls it has, how many are left, and in how many seconds it begins anew."""

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
            "RateLimit-Policy": ", ".join(f'"{one.name}";q={one.quota};w={one.seconds}' for one in both),
            "RateLimit": ", ".join(f'"{one.name}";r={one.left};t={max(0, math.ceil(one.resets_in))}' for one in both),
        }

    def require(self) -> None:
        """Raise Refusal 429 with the seconds to wait until every full window has begun anew."""
        if not self.is_refused:
            return
        wait = max(1, *(math.ceil(one.resets_in) for one in (self.minute, self.hour) if one.is_full), 1)
        detail = f"Too many calls: {self.minute.quota} in a minute and {self.hour.quota} in an hour. Wait {wait} s."
        raise Refusal(429, "rateLimit.exceeded", detail, headers={"Retry-After": str(wait)})


def count_call(principal: str, *, times: int = 1) -> Rate:
    """Count one call of a principal whose limit is `times` the usual one. A full window counts nothing."""
    values: dict[str, Any] = {
        "key": principal,
        "minute": settings.LEADWIRE_CALLS_PER_MINUTE * times,
        "hour": settings.LEADWIRE_CALLS_PER_HOUR * times,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(left=_LEFT), values)
        row = cursor.fetchone()
        is_refused = row is None
        if row is None:
            cursor.execute(_LOOK, values)
            row = cursor.fetchone() or (0, 0, 0, 0)
    minute = Window("minute", 60, values["minute"], row[0], float(row[1]))
    hour = Window("hour", 3600, values["hour"], row[2], float(row[3]))
    return Rate(minute, hour, is_refused)


# --- who guesses keys ---

ADDRESSES_KEPT = 10_000
_guessers: OrderedDict[str, float] = OrderedDict()  # of this process: who is refused without a look at the database


def refuse_guessers(address: str | None) -> None:
    """Raise Refusal 429 for an address that showed too many unknown keys, whatever it shows now."""
    until = _guessers.get(_network(address), 0.0)
    wait = until - time.monotonic()
    if wait > 0:
        headers = {"Retry-After": str(math.ceil(wait))}
        raise Refusal(429, "rateLimit.guessing", "Too many unknown keys from this address. Wait.", headers=headers)


def count_guess(address: str | None) -> None:
    """Count a well-formed key that nobody has. Mistyped ones are refused without a look-up and are not counted."""
    network = _network(address)
    values: dict[str, Any] = {
        "key": f"guess:{network}",
        "minute": settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE,
        "hour": settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE * 60,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(left=_LEFT), values)
        row = cursor.fetchone()
    if row is None or row[0] >= values["minute"]:
        _guessers[network] = time.monotonic() + (float(row[1]) if row else MINUTE.total_seconds())
        _guessers.move_to_end(network)
        while len(_guessers) > ADDRESSES_KEPT:
            _guessers.popitem(last=False)


def _network(address: str | None) -> str:
    """Whom an address belongs to: IPv6 gives each customer a /64 at least."""
    if not address:
        return ""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
