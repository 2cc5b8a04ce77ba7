"""Until when somebody snoozes: moments of their own days."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.utils import timezone

MORNING = time(9)
CHOICES = [
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("tomorrow", "Tomorrow, 9:00"),
    ("monday", "Monday, 9:00"),
    ("month", "In 30 days, 9:00"),
]


def moment_of(choice: str, now: datetime | None = None) -> datetime:
    """Return the moment that a choice means, in the active zone: of the person who chooses. Raise KeyError."""
    now = timezone.localtime(now)
    if choice in ("1h", "4h"):
        return now + timedelta(hours=int(choice[0]))
    days = {"tomorrow": 1, "monday": 7 - now.weekday(), "month": 30}[choice]
    # A clock's time on another day, not so many hours from now: days with a change of the clock have 23 or 25.
    return datetime.combine(now.date() + timedelta(days=days), MORNING, tzinfo=now.tzinfo)
