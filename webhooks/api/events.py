"""The feed of events, for callers that cannot be called."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PAGE_MAX, Api, caller_of, read_query
from core.ids import rfc3339
from core.keyset import read_position, write_position
from core.problems import Refusal
from webhooks.event_types import EventType
from webhooks.models import Event, FeedEntry, FeedHead


class FeedEvent(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.ChoiceField(choices=EventType.choices)
    timestamp = serializers.DateTimeField()
    sequence = serializers.IntegerField(help_text="The conversation's own count.")
    feed_position = serializers.IntegerField(help_text="Gapless in the organization.")
    data = serializers.DictField()  # type: ignore[assignment]


class FeedMeta(serializers.Serializer[Any]):
    next_cursor = serializers.CharField(help_text="Always there: ask with it again later.")
    has_more = serializers.BooleanField()


FEED = inline_serializer(
    "Feed",
    {"data": inline_serializer("FeedData", {"events": FeedEvent(many=True)}), "meta": FeedMeta()},
)


class EventsApi(Api):
    scopes = {"GET": "webhooks:read"}
    refusals = {"GET": ("cursor.expired",)}

    class Query(serializers.Serializer[Any]):
        limit = serializers.IntegerField(min_value=1, max_value=1000, default=PAGE_MAX)
        cursor = serializers.CharField(
            required=False, allow_blank=True, max_length=200, help_text="Left out: from the oldest event that is kept."
        )

    @extend_schema(operation_id="list_events", parameters=[Query], responses=FEED, tags=["Webhooks"])
    def get(self, request: Request) -> Response:
        query, caller = read_query(request, self.Query), caller_of(request)
        after = read_position(query["cursor"]) if "cursor" in query else 0
        _refuse_forgotten(caller.organization_id, after, is_resumed="cursor" in query)
        rows = FeedEntry.objects.filter(organization_id=caller.organization_id, position__gt=after)
        if caller.organization_id not in caller.reach().organization_ids:
            rows = rows.filter(source_id__in=caller.reach().source_ids)
        found = list(rows.order_by("position")[: query["limit"] + 1])
        entries = found[: query["limit"]]
        events = Event.objects.in_bulk([entry.event_id for entry in entries])
        shown = [event_json(events[entry.event_id], entry.position) for entry in entries if entry.event_id in events]
        last = entries[-1].position if entries else after
        meta = {"next_cursor": write_position(last), "has_more": len(found) > len(entries)}
        return Response({"data": {"events": shown}, "meta": meta})


def _refuse_forgotten(organization_id: Any, after: int, *, is_resumed: bool) -> None:
    """A caller that stayed away longer than events are kept must know that it missed some."""
    first = FeedEntry.objects.filter(organization_id=organization_id).order_by("position").first()
    if not is_resumed:
        return
    if first is None:
        head = FeedHead.objects.filter(pk=organization_id).first()
        oldest = head.position + 1 if head else after + 1
    else:
        oldest = first.position
    if after + 1 < oldest:
        raise Refusal(410, "cursor.expired", "Events after this cursor are no longer kept. Begin without a cursor.")


def event_json(event: Event, position: int) -> dict[str, Any]:
    return {
        "id": event.public_id,
        "type": event.type,
        "timestamp": rfc3339(event.happened_at),
        "sequence": event.sequence,
        "feed_position": position,
        "data": event.payload,
    }
