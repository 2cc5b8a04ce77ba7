"""The list of the inbox: its rows, its counts, and which conversation comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import IntegerField, Value

from conversations.models import Conversation
from conversations.models.conversations import ConversationQuerySet
from core.keyset import cursor_at, page_by_moment
from inbox.filters import STATES, FilterForm
from inbox.models import SavedView
from inbox.reading import unread_of

PAGE_SIZE = 30
COUNTED_MAX = 99
COUNTED_STATES = ("waiting", "snoozed")
VIEWS_SHOWN = 20


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
    rows, next_cursor = page_by_moment(
        filters.rows().select_related("lead", "source", "connection", "assignee"),
        filters.moment,
        cursor,
        PAGE_SIZE,
        oldest_first=filters.is_oldest_first,
    )
    states, views = _tabs(filters)
    return {
        "filters": filters,
        "rows": rows,
        "unread": unread_of(filters.membership, rows),
        "current": current,
        "older": filters.query_with(cursor=next_cursor) if next_cursor else "",
        "states": states,
        "views": views,
    }


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


def _tabs(filters: FilterForm) -> tuple[list[Tab], list[Tab]]:
    """The states, which keep the other filters, and the saved views, each with how many conversations it shows."""
    saved = list(SavedView.objects.of(filters.membership)[:VIEWS_SHOWN])
    by_view = {view.pk: filters.with_query(view.query) for view in saved}
    counted: dict[Any, FilterForm] = {**by_view}
    counted |= {state: filters.with_query(filters.query_with(state=state)) for state in COUNTED_STATES}
    counts = _capped_counts({key: form.rows() for key, form in counted.items()})
    states = [
        Tab(label, filters.query_with(state=state), filters.shown_state == state, counts.get(state, ""))
        for state, label in STATES
    ]
    views = [
        Tab(view.name, by_view[view.pk].query, by_view[view.pk].query == filters.query, counts[view.pk], view)
        for view in saved
    ]
    return states, views


def _capped_counts(querysets: dict[Any, ConversationQuerySet]) -> dict[Any, str]:
    """Return how many rows each has, up to a limit beyond which nobody counts, in one statement."""
    parts = [
        rows.order_by().annotate(part=Value(number, IntegerField())).values_list("part")[: COUNTED_MAX + 1]
        for number, rows in enumerate(querysets.values())
    ]
    numbers = [number for (number,) in parts[0].union(*parts[1:], all=True)] if parts else []
    counts = {key: numbers.count(number) for number, key in enumerate(querysets)}
    return {key: f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count or "") for key, count in counts.items()}
