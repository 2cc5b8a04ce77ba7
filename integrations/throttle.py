"""A fixed window from the first call, exact across processes: one UPSERT in an UNLOGGED table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from core.problems import Refusal

_COUNT = """
INSERT INTO integrations_ratewindow AS w (key, started_at, count) VALUES (%(key)s, now(), 1)
ON CONFLICT (key) DO UPDATE SET
    started_at = CASE WHEN w.started_at <= now() - %(window)s THEN now() ELSE w.started_at END,
    count = CASE WHEN w.started_at <= now() - %(window)s THEN 1 ELSE w.count + 1 END
WHERE w.started_at <= now() - %(window)s OR w.count < %(limit)s
RETURNING 1
"""

_WAIT = "SELECT extract(epoch FROM started_at + %(window)s - now()) FROM integrations_ratewindow WHERE key = %(key)s"


def count(key: str, *, limit: int, window: timedelta) -> None:
    """Count one call; a refused call counts nothing. Raise Refusal 429 with Retry-After."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"key": key, "limit": limit, "window": window}
        cursor.execute(_COUNT, values)
        if cursor.fetchone() is None:
            cursor.execute(
                _WAIT,
                values,
            )
            wait = max(1, round(float(cursor.fetchone()[0])))
            raise Refusal(
                429, "rateLimit.exceeded", f"Too many calls. Try again in {wait} s.", headers={"Retry-After": str(wait)}
            )
