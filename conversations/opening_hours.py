"""When a source is open: weekly hours in its zone, without holidays and days of its own. Pure functions of time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import holidays
from holidays.registry import COUNTRIES

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES_OF_A_DAY = 24 * 60
SPANS_MAX = 6  # of one day
LOOKED_BACK = 400  # days: who was not open for so long never is
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})", re.ASCII)

Span = tuple[int, int]  # minutes since midnight, by the clock on the wall: from, to
Week = Sequence[Sequence[Span]]  # Monday first


class Open(Protocol):
    """What says when time counts."""

    def is_open(self, at: datetime) -> bool:
        """True when it counts at this moment."""

    def moment_before(self, at: datetime, length: timedelta) -> datetime | None:
        """Return the latest moment since which `length` of it had passed by `at`; None where there is none."""


class Always:
    """Time that always counts."""

    def is_open(self, at: datetime) -> bool:
        return True

    def moment_before(self, at: datetime, length: timedelta) -> datetime | None:
        return at - length


@dataclass(frozen=True)
class Hours:
    """Weekly hours in a zone, closed on holidays of a country and on days of its own."""

    zone: ZoneInfo
    week: Week
    country: str = ""  # ISO 3166-1 alpha-2; "": no holidays
    closed_on: frozenset[date] = field(default_factory=frozenset)

    def is_open(self, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.spans(at.astimezone(self.zone).date()))

    def moment_before(self, at: datetime, length: timedelta) -> datetime | None:
        day, remaining = at.astimezone(self.zone).date(), length
        for _ in range(LOOKED_BACK):
            for start, end in reversed(self.spans(day)):
                passed = min(end, at) - start
                if passed >= remaining:
                    return min(end, at) - remaining
                if passed > timedelta(0):
                    remaining -= passed
            day -= timedelta(days=1)
        return None

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return from when to when it is open on a day, as moments: a day with a change of the clock is no other."""
        if day in self.closed_on or (self.country and day in _holidays_of(self.country)):
            return []
        spans = [(self._moment(day, start), self._moment(day, end)) for start, end in self.week[day.weekday()]]
        return [(start, end) for start, end in sorted(spans) if start < end]

    def _moment(self, day: date, minutes: int) -> datetime:
        days, rest = divmod(minutes, MINUTES_OF_A_DAY)
        local = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), tzinfo=self.zone)
        return local.astimezone(ZoneInfo("UTC"))


@cache
def _holidays_of(country: str) -> Any:
    """The holidays of a country, of any year that is asked for (https://holidays.readthedocs.io)."""
    return holidays.country_holidays(country)


@cache
def countries() -> dict[str, str]:
    """Return the countries whose holidays are known: names in their order, by the two letters of ISO 3166-1."""
    names = {code: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name) for name, code, *_ in COUNTRIES.values()}
    return dict(sorted(names.items(), key=lambda country: country[1]))


def read_spans(text: str) -> list[Span]:
    """Read `09:00-12:00, 13:00-17:00`; an empty text is a day without any. Raise ValueError with words for people."""
    spans = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _SPAN.fullmatch(part)
        if not match:
            raise ValueError(f"Write “{part[:40]}” as 09:00-17:00.")
        hour, minute, end_hour, end_minute = map(int, match.groups())
        start, end = hour * 60 + minute, end_hour * 60 + end_minute
        if minute > 59 or end_minute > 59 or end > MINUTES_OF_A_DAY:
            raise ValueError(f"There is no such time as “{part}”.")
        if start >= end:
            raise ValueError(f"“{part}” ends before it begins. For hours over midnight use two days.")
        spans.append((start, end))
    spans.sort()
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        raise ValueError("Two of the times overlap.")
    if len(spans) > SPANS_MAX:
        raise ValueError(f"A day has at most {SPANS_MAX} times.")
    return spans


def write_spans(spans: Sequence[Span]) -> str:
    """Write them as `read_spans` reads them."""
    return ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in spans)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
