"""The bytes that a webhook carries: the event as it was, and the conversation's newest messages.

They are rendered at the first attempt and frozen: what was signed and sent is sent again, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from accounts.ids import encode, moment
from integrations.outbox.claims import ClaimedDelivery
from integrations.outbox.endpoints import Endpoint
from integrations.outbox.streams import Bodies

HISTORY_MESSAGES = 50
HISTORY_BYTES = 64 * 1024
SURELY_FIRST = timedelta(seconds=1)  # a row claimed sooner after it was written had no earlier attempt

_EVENTS = "SELECT id, sequence, happened_at, payload, conversation_id FROM integrations_event WHERE id = ANY(%s)"
_FROZEN = """
SELECT DISTINCT ON (delivery_id) delivery_id, request_body FROM integrations_attempt
WHERE delivery_id = ANY(%s) AND request_body <> '' ORDER BY delivery_id, id
"""
_HISTORY = """
SELECT c.id AS conversation, c.title, c.closed_at, c.created_at AS opened_at, k.kind AS channel, m.*
FROM unnest(%s::uuid[]) AS wanted(id)
JOIN conversations_conversation c ON c.id = wanted.id
LEFT JOIN integrations_channelconnection k ON k.id = c.connection_id
LEFT JOIN LATERAL (
    SELECT id, direction, author, author_name, content, status, created_at, connection_id
    FROM conversations_message WHERE conversation_id = c.id AND kind = 'message' AND NOT is_automatic
    ORDER BY id DESC LIMIT %s
) m ON true
"""


async def render_bodies(
    connection: AsyncConnection[Any], claimed: list[ClaimedDelivery], endpoints: dict[UUID, Endpoint]
) -> Bodies:
    """Return the body of each claimed delivery and whether it was rendered now; without its event it has none."""
    retries = [one.id for one in claimed if one.attempts > 1 or one.claimed_at - one.created_at > SURELY_FIRST]
    bodies: Bodies = {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        if retries:
            await cursor.execute(_FROZEN, [retries])
            bodies = {row["delivery_id"]: (row["request_body"].encode(), False) for row in await cursor.fetchall()}
        fresh = [delivery for delivery in claimed if delivery.id not in bodies]
        if not fresh:
            return bodies
        await cursor.execute(_EVENTS, [list({delivery.event_id for delivery in fresh})])
        events = {row["id"]: row for row in await cursor.fetchall()}
        wanted = {event["conversation_id"] for event in events.values() if event["conversation_id"]}
        histories: dict[UUID, dict[str, Any]] = {}
        if wanted:
            await cursor.execute(_HISTORY, [list(wanted), HISTORY_MESSAGES])
            histories = _conversations(await cursor.fetchall())
    for delivery in fresh:
        event, endpoint = events.get(delivery.event_id), endpoints.get(delivery.lane_id)
        if event:
            with_source_name = bool(endpoint and endpoint.includes_source_name)
            bodies[delivery.id] = (render(delivery, event, histories, with_source_name), True)
    return bodies


def render(
    delivery: ClaimedDelivery, event: dict[str, Any], histories: dict[UUID, dict[str, Any]], with_source_name: bool
) -> bytes:
    """Return the JSON of one event as one endpoint sees it."""
    data = dict(event["payload"])
    if isinstance(data.get("lead"), dict) and not with_source_name:
        data["lead"] = {name: value for name, value in data["lead"].items() if name != "source_name"}
    if delivery.is_announcement:  # held back until now, so it is new to this receiver
        data["lead"] = {**data["lead"], "is_new": True}
    data.pop("conversation_id", None)
    if event["conversation_id"] in histories:
        data["conversation"] = histories[event["conversation_id"]]
    whole = {
        "type": delivery.event_type,
        "timestamp": moment(event["happened_at"]),
        "id": encode("evt", delivery.event_id),
        "sequence": event["sequence"],
        "data": data,
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _conversations(rows: Iterable[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = {}
    sizes: dict[UUID, int] = {}
    for row in rows:
        shown = found.setdefault(
            row["conversation"],
            {
                "id": encode("conv", row["conversation"]),
                "title": row["title"],
                "status": "closed" if row["closed_at"] else "open",
                "messaging_channel_id": row["channel"],
                "created_at": moment(row["opened_at"]),
                "messages": [],
                "truncated": False,
            },
        )
        if row["id"] is None:
            continue
        size = sizes.get(row["conversation"], 0) + len(row["content"].encode())
        if size > HISTORY_BYTES:
            shown["truncated"] = True
            continue
        sizes[row["conversation"]] = size
        shown["messages"].append(
            {
                "id": encode("msg", row["id"]),
                "direction": row["direction"],
                "author": {"kind": row["author"], "name": row["author_name"]},
                "content": row["content"],
                "messaging_channel_connection_id": row["connection_id"],
                "status": row["status"],
                "created_at": moment(row["created_at"]),
            }
        )
    return found
