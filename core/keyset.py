"""Pages of long lists: keyset over an index made for it, never offset."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import models

from core.problems import Invalid

CURSOR_MAX = 200  # characters
M = TypeVar("M", bound=models.Model)


def page(rows: models.QuerySet[M], query: dict[str, Any]) -> tuple[list[M], str | None]:
    """Return one page, newest first by id, and the cursor of the next one. Raise Invalid for a bad cursor."""
    if "cursor" in query:
        rows = rows.filter(pk__lt=_read_id(query["cursor"]))
    fetched = list(rows.order_by("-pk")[: query["limit"] + 1])
    shown = fetched[: query["limit"]]
    return shown, _write(shown[-1].pk.hex) if len(fetched) > len(shown) else None


def page_by_moment(
    rows: models.QuerySet[M], moment: str, cursor: str, limit: int, *, oldest_first: bool = False
) -> tuple[list[M], str | None]:
    """Return one page, newest first by a column of times and then by id, and the cursor of the next one."""
    beyond, sign = ("gt", "") if oldest_first else ("lt", "-")
    if cursor:
        at, pk = _read_moment(cursor)
        rows = rows.filter(
            models.Q(**{f"{moment}__{beyond}": at}) | models.Q(**{moment: at, f"pk__{beyond}": pk}),
            **{f"{moment}__{beyond}e": at},
        )
    fetched = list(rows.order_by(f"{sign}{moment}", f"{sign}pk")[: limit + 1])
    shown = fetched[:limit]
    if len(fetched) <= len(shown):
        return shown, None
    return shown, cursor_at(getattr(shown[-1], moment), shown[-1].pk)


def cursor_at(moment: datetime, pk: UUID) -> str:
    """Return the cursor of the page that begins below a row."""
    return _write([moment.isoformat(), pk.hex])


def write_position(position: int) -> str:
    """Return the cursor of a place in a feed."""
    return _write(["feed", position])


def read_position(cursor: str) -> int:
    """Return the place in a feed that a cursor names. Raise Invalid for a bad one."""
    try:
        kind, position = _read(cursor)
        if kind != "feed" or not isinstance(position, int) or not 0 <= position < 2**63:
            raise _bad()
        return position
    except (ValueError, TypeError, AttributeError) as error:
        raise _bad() from error


def _write(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _read(cursor: str) -> Any:
    if len(cursor) > CURSOR_MAX:
        raise _bad()
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def _read_id(cursor: str) -> UUID:
    try:
        return UUID(_read(cursor))
    except (ValueError, TypeError, AttributeError) as error:
        raise _bad() from error


def _read_moment(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, pk = _read(cursor)
        return datetime.fromisoformat(at).astimezone(UTC), UUID(pk)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _bad() from error


def _bad() -> Invalid:
    return Invalid.at("cursor", "This cursor is not one of ours.", kind="parameter")
