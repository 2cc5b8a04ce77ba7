"""Reads that span sources, leads and conversations, each shaped for one page."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts.models import Source, User
from conversations.models import Message
from core.ids import uuid7
from integrations.lead_reply_api.models import LeadReplyApi
from leads.models import Lead
from webhooks.models import RestWebhook

WEEK = timedelta(days=7)
CHART_DAYS = 14
SOURCES_SHOWN = 500
LEADS_COUNTED = 1000  # of a source and week; more are shown as this and a plus


@dataclass
class SourceRow:
    """A line of the sources list."""

    source: Source
    leads: int = 0
    last_at: datetime | None = None
    states: list[tuple[str, str]] = field(default_factory=list)  # mark and words of each card
    is_failing: bool = False
    locations: list[SourceRow] = field(default_factory=list)

    @property
    def leads_shown(self) -> str:
        return f"{self.leads:,}{'+' if self.leads >= LEADS_COUNTED else ''}"


def source_tree(user: User, organization_id: UUID, search: str, *, archived: bool = False) -> list[SourceRow]:
    """Businesses with their locations, failing first. A location whose business is out of sight stands alone."""
    sources = Source.objects.visible_to(user).filter(organization=organization_id, archived_at__isnull=not archived)
    if search:
        sources = sources.filter(name__icontains=search)
    rows = {source.pk: SourceRow(source) for source in sources.select_related("parent")[:SOURCES_SHOWN]}
    _count(rows)
    for source_id, states in _card_states(list(rows)).items():
        rows[source_id].states = states
        rows[source_id].is_failing = any(mark == "bad" for mark, _ in states)
    roots = []
    for row in rows.values():
        parent = rows.get(row.source.parent_id) if row.source.parent_id else None
        if parent:
            parent.locations.append(row)
        else:
            roots.append(row)
    for row in roots:
        row.locations.sort(key=lambda row: (not row.is_failing, row.source.name.lower()))
    return sorted(roots, key=lambda row: (not _fails(row), row.source.name.lower()))


def _fails(row: SourceRow) -> bool:
    return row.is_failing or any(location.is_failing for location in row.locations)


# One look into an index for each source: an aggregate over all of their rows would grow with them.
_COUNTS = """
SELECT source.id,
    (SELECT count(*) FROM (SELECT FROM leads_lead lead
     WHERE lead.source_id = source.id AND lead.id >= %s AND NOT lead.is_test LIMIT %s) week),
    (SELECT last_message_at FROM conversations_conversation conversation WHERE conversation.source_id = source.id
     ORDER BY last_message_at DESC, id DESC LIMIT 1)
FROM unnest(%s::uuid[]) source(id)
"""


def _count(rows: dict[UUID, SourceRow]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [uuid7(timezone.now() - WEEK), LEADS_COUNTED, list(rows)])
        for source_id, leads, last_at in cursor.fetchall():
            rows[source_id].leads, rows[source_id].last_at = leads, last_at


def _card_states(source_ids: list[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    states: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    for webhook in RestWebhook.objects.filter(source__in=source_ids).select_related("lane"):
        mark, words = "off", "off"
        if webhook.is_enabled:
            mark, words = "ok", "on"
            if webhook.lane.stopped_at:
                mark, words = "bad", "stopped"
            elif webhook.lane.failing_since:
                mark, words = "bad", "failing"
        states[webhook.source_id].append((mark, f"Webhook {words}"))
    for reply in LeadReplyApi.objects.filter(source__in=source_ids):
        on = reply.is_enabled
        states[reply.source_id].append(("ok" if on else "off", f"Reply API {'on' if on else 'off'}"))
    return states


@dataclass(frozen=True)
class Bar:
    """One day of the chart; heights are percents of the tallest."""

    day: date
    leads: int
    replies: int
    x: int
    lead_height: int
    reply_height: int

    @property
    def lead_y(self) -> int:
        return 100 - self.lead_height

    @property
    def reply_y(self) -> int:
        return 100 - self.reply_height

    @property
    def reply_x(self) -> int:
        return self.x + 4


def daily_chart(source: Source) -> list[Bar]:
    """Leads and replies of the last two weeks by day, in the source's time zone."""
    zone, today = source.zone, timezone.now().astimezone(source.zone).date()
    days = [today - timedelta(days=offset) for offset in range(CHART_DAYS - 1, -1, -1)]
    since = timezone.now() - timedelta(days=CHART_DAYS)
    leads = _by_day(Lead.objects.real().filter(source=source, id__gte=uuid7(since)), zone)
    replies = _by_day(
        Message.objects.filter(source=source, id__gte=uuid7(since), direction="outbound", lead__is_test=False), zone
    )
    top = max([1, *leads.values(), *replies.values()])
    return [
        Bar(day, leads[day], replies[day], index * 10, leads[day] * 96 // top, replies[day] * 96 // top)
        for index, day in enumerate(days)
    ]


def _by_day(rows: Any, zone: Any) -> Counter[date]:
    lines = rows.annotate(day=TruncDate("created_at", tzinfo=zone)).values("day").annotate(n=Count("id"))
    return Counter({line["day"]: line["n"] for line in lines})
