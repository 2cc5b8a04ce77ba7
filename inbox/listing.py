"""The list of the inbox: its rows, its counts, and which conversation comes next."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import IntegerField, TextField, Value
from django.db.models.expressions import RawSQL

from conversations.models import Conversation
from conversations.models.conversations import ConversationQuerySet
from core.keyset import cursor_at, page_by_moment
from inbox.filters import STATES, FilterForm
from inbox.live import ROW_VERSION, list_version
from inbox.models import SavedView
from inbox.reading import unread_of

PAGE_SIZE = 30
VERSION = RawSQL(ROW_VERSION, [], output_field=TextField())  # noqa: S611  our own words
COUNTED_MAX = 99
COUNTED_STATES = ("waiting", "snoozed")
COUNTED_WITHIN, COUNTED_WITHIN_IN_ALL = 0.3, 1.5  # seconds, for each saved view and for all of them


@dataclass(frozen=True)
class Tab:
    """A state or a saved view: a filter one click away."""

    label: str
    query: str
    is_current: bool
    count: str = ""
    view: SavedView | None = None


def list_values(filters: FilterForm, cursor: str = "", current: UUID | None = None) -> dict[str, Any]:
    """Return what the list shows. Raise Invalid for a bad cursor."""
    shown = rows_values(filters, cursor)
    return {**shown, "current": current, "states": _states(filters), "views": views_of(filters)}


def rows_values(filters: FilterForm, cursor: str = "") -> dict[str, Any]:
    """Return the rows of the list alone, with their version. Raise Invalid for a bad cursor."""
    rows, next_cursor = page_by_moment(
        filters.rows().select_related("lead", "source", "connection", "assignee").annotate(version=VERSION),
        filters.moment,
        cursor,
        PAGE_SIZE,
        oldest_first=filters.is_oldest_first,
    )
    unread = unread_of(filters.membership, rows)
    return {
        "filters": filters,
        "rows": rows,
        "unread": unread,
        "older": filters.query_with(cursor=next_cursor) if next_cursor else "",
        "list_version": list_version(rows, unread),
        "cursor": cursor,
    }


def version_of_list(filters: FilterForm, cursor: str = "") -> str:
    """Return the version of the list alone: the same as `rows_values` gives, read with a few columns."""
    rows = filters.rows().annotate(version=VERSION).only("last_news_at", "closed_at", filters.moment)
    shown, _ = page_by_moment(rows, filters.moment, cursor, PAGE_SIZE, oldest_first=filters.is_oldest_first)
    return list_version(shown, unread_of(filters.membership, shown))


def next_after(filters: FilterForm, conversation: Conversation) -> Conversation | None:
    """Return the conversation that stands below this one in the list; at its end the first of the list.

    Ask before the conversation changes its place.
    """
    rows = filters.rows().exclude(pk=conversation.pk)
    at: datetime | None = getattr(conversation, filters.moment)
    below = [cursor_at(at, conversation.pk)] if at else []
    for cursor in (*below, ""):
        page, _ = page_by_moment(rows, filters.moment, cursor, 1, oldest_first=filters.is_oldest_first)
        if page:
            return page[0]
    return None


def _states(filters: FilterForm) -> list[Tab]:
    """The states, which keep the other filters; those that somebody works off have how many."""
    counts = _capped_counts(
        {state: filters.with_query(filters.query_with(state=state)).rows() for state in COUNTED_STATES}
    )
    return [
        Tab(label, filters.query_with(state=state), filters.shown_state == state, counts.get(state, ""))
        for state, label in STATES
    ]


def views_of(filters: FilterForm) -> list[Tab]:
    """The saved views of a member, without counts."""
    return [
        Tab(view.name, view.query, view.query == filters.query, view=view)
        for view in SavedView.objects.of(filters.membership)
    ]


def counted(filters: FilterForm) -> list[Tab]:
    """The saved views with how many conversations each shows its reader.

    A page does not wait for them: a filter that few rows pass reads many. Each has its own short time, and all of them
    have one, which nobody's many views can pass; those that were not counted by then have no count.
    """
    ends = time.monotonic() + COUNTED_WITHIN_IN_ALL
    tabs = []
    for tab in views_of(filters):
        rest = min(COUNTED_WITHIN, ends - time.monotonic())
        count = _count_in_time(filters.with_query(tab.query).rows(), rest) if rest > 0 else ""
        tabs.append(replace(tab, count=count))
    return tabs


def _count_in_time(rows: ConversationQuerySet, seconds: float) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            milliseconds = max(1, round(seconds * 1000))  # 0 would be no limit at all
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            return _capped_counts({"rows": rows})["rows"]
    except OperationalError:
        return ""


def _capped_counts(querysets: dict[Any, ConversationQuerySet]) -> dict[Any, str]:
    """Return how many rows each has, up to a limit beyond which nobody counts, in one statement."""
    parts = [
        rows.order_by().annotate(part=Value(number, IntegerField())).values_list("part")[: COUNTED_MAX + 1]
        for number, rows in enumerate(querysets.values())
    ]
    numbers = [number for (number,) in parts[0].union(*parts[1:], all=True)] if parts else []
    counts = {key: numbers.count(number) for number, key in enumerate(querysets)}
    return {key: f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count or "") for key, count in counts.items()}
