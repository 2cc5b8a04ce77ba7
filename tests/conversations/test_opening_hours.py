"""Opening hours: weekly hours, holidays, days of its own, and days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.opening_hours import Hours, read_spans, write_spans

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 3, 25, tzinfo=UTC)
OFFICE = [*([[(9 * 60, 17 * 60)]] * 5), [], []]


def at(text: str) -> datetime:
    """A moment by the clock in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-27T08:59", False),  # a Friday
        ("2026-11-27T09:00", True),
        ("2026-11-27T16:59", True),
        ("2026-11-27T17:00", False),
        ("2026-11-28T12:00", False),  # a Saturday
        ("2026-12-25T12:00", False),  # a Friday, and Christmas
        ("2026-12-24T12:00", False),  # closed by choice
    ],
)
def test_open_by_the_clock_on_the_wall(moment, is_open):
    assert Hours(BERLIN, OFFICE, "DE", frozenset({date(2026, 12, 24)})).is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("now", "minutes", "since"),
    [
        ("2026-11-27T10:00", 30, "2026-11-27T09:30"),
        ("2026-11-27T09:10", 30, "2026-11-26T16:40"),  # 20 minutes of the day before
        ("2026-11-30T09:10", 30, "2026-11-27T16:40"),  # over a weekend
        ("2026-11-28T15:00", 30, "2026-11-27T16:30"),  # asked while it is closed
        ("2026-12-28T09:10", 30, "2026-12-23T16:40"),  # over Christmas
        ("2026-11-27T17:00", 8 * 60, "2026-11-27T09:00"),
    ],
)
def test_since_when_so_much_open_time_has_passed(now, minutes, since):
    hours = Hours(BERLIN, OFFICE, "DE", frozenset({date(2026, 12, 24)}))
    assert hours.moment_before(at(now), timedelta(minutes=minutes)) == at(since)


def test_the_night_of_the_changed_clock_has_another_length():
    night = [[(0, 6 * 60)]] * 7
    hours = Hours(BERLIN, night)
    spring = hours.spans(date(2026, 3, 29))[0]
    autumn = hours.spans(date(2026, 10, 25))[0]
    assert spring[1] - spring[0] == timedelta(hours=5)
    assert autumn[1] - autumn[0] == timedelta(hours=7)


def test_who_is_never_open_has_no_such_moment():
    assert Hours(BERLIN, [[]] * 7).moment_before(at("2026-11-27T10:00"), timedelta(minutes=1)) is None


spans = st.lists(st.tuples(st.integers(0, 47), st.integers(1, 48)), max_size=3).map(
    lambda pairs: read_spans(write_spans(_apart([(a * 30, b * 30) for a, b in pairs if a < b])))
)


def _apart(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for pair in sorted(pairs):
        if not kept or pair[0] >= kept[-1][1]:
            kept.append(pair)
    return kept


@given(
    week=st.lists(spans, min_size=7, max_size=7),
    now=st.integers(0, 225 * 24 * 60).map(lambda minutes: SPRING + timedelta(minutes=minutes)),
    minutes=st.integers(1, 900),
)
@settings(deadline=None, max_examples=50)
def test_it_is_what_counting_every_minute_gives(week, now, minutes):
    """Against a count of open minutes, over both changes of the clock."""
    hours = Hours(BERLIN, week)
    since = hours.moment_before(now, timedelta(minutes=minutes))
    if since is None or now - since > timedelta(days=4):
        return
    counted = sum(hours.is_open(since + timedelta(minutes=n)) for n in range(int((now - since).total_seconds() // 60)))
    assert counted == minutes
    assert hours.is_open(since), "the latest such moment is one that counts"


@pytest.mark.parametrize("text", ["", "09:00-17:00", "09:00-12:00, 13:00-17:30", "00:00-24:00"])
def test_hours_are_read_as_they_are_written(text):
    assert write_spans(read_spans(text)) == text


@pytest.mark.parametrize(
    "text",
    ["9-5", "17:00-09:00", "09:00-09:00", "09:00-12:00, 11:00-13:00", "25:00-26:00", "09:60-10:00", "x" * 500, "\x00",
     "08:00-08:10," * 7 + "10:00-11:00", "\u0660\u0669:00-10:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"^[\w“]"):
        read_spans(text)
