"""Say that an operation goes away, long before it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime


@dataclass(frozen=True)
class Deprecation:
    """Since when an operation is deprecated, when it stops, and what to read about it."""

    since: datetime
    stops_at: datetime
    link: str = "/docs/versioning.md"

    def headers(self) -> dict[str, str]:
        """`Deprecation` (RFC 9745: seconds after @), `Sunset` (RFC 8594: a date), and a link to what to do."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.stops_at, usegmt=True),
            "Link": f'<{self.link}>; rel="deprecation"',
        }
