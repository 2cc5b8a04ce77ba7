"""The bytes that a webhook carries: the event as it was, and the conversation's newest messages.

They are rendered at the first attempt and frozen: what was signed and sent is sent again, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import dict_row

from conversations.models import Attachment
from conversations.presentation import attachment_json
from conversations.services.attachment_links import DOWNLOAD, TOLD_LASTS, link_to
from core.ids import decode, encode, rfc3339
from webhooks.delivery.claims import ClaimedDelivery
from webhooks.delivery.destinations import Destination
from webhooks.delivery.stream import Bodies

Histories = dict[tuple[UUID, bool], str]  # by conversation, and whether with all that the lead ever said

HISTORY_MESSAGES = 50
HISTORY_BYTES = 64 * 1024
SURELY_FIRST = timedelta(seconds=1)  # a row claimed sooner after it was written had no earlier attempt

# The payload stays text: it was made once and is only joined with the rest.
_EVENTS = """
SELECT d.id AS delivery, e.sequence, e.happened_at, e.conversation_id,
    (coalesce(jsonb_set(
        CASE WHEN d.with_name THEN e.payload ELSE e.payload #- '{lead,source_name}' END,
        '{lead,is_new}', CASE WHEN d.announces THEN 'true' ELSE e.payload #> '{lead,is_new}' END, false
    ), e.payload) - 'conversation_id')::text AS told
FROM unnest(%s::uuid[], %s::uuid[], %s::bool[], %s::bool[]) AS d(id, event_id, with_name, announces)
JOIN webhooks_event e ON e.id = d.event_id
"""
_FROZEN = """
SELECT DISTINCT ON (delivery_id) delivery_id, request_body FROM webhooks_attempt
WHERE delivery_id = ANY(%s) AND request_body <> '' ORDER BY delivery_id, id
"""
_HISTORY = """
SELECT c.id AS conversation, c.title, c.closed_at, c.handled_by, c.created_at AS opened_at, k.kind AS channel, m.*
FROM unnest(%s::uuid[]) AS wanted(id)
JOIN conversations_conversation c ON c.id = wanted.id
LEFT JOIN messaging_channelconnection k ON k.id = c.connection_id
LEFT JOIN LATERAL (
    SELECT id, direction, author, author_name, content, status, created_at, connection_id, attachment_count
    FROM conversations_message WHERE conversation_id = c.id AND kind = 'message' AND NOT is_automatic
    ORDER BY id DESC LIMIT %s
) m ON true
"""
_FILES = """
SELECT id, message_id, name, content_type, size, state FROM conversations_attachment
WHERE message_id = ANY(%s) ORDER BY id
"""
# A lead that was held back is announced with all that was said before: its earlier conversations too.
_WHOLE_HISTORY = _HISTORY.replace(
    "conversation_id = c.id", "conversation_id IN (SELECT id FROM conversations_conversation WHERE lead_id = c.lead_id)"
)


async def render_bodies(
    connection: AsyncConnection[Any], claimed: list[ClaimedDelivery], destinations: dict[UUID, Destination]
) -> Bodies:
    """Return the body of each claimed delivery and whether it was rendered now; without its event it has none."""
    retries = [
        delivery.id
        for delivery in claimed
        if delivery.attempts > 1 or delivery.claimed_at - delivery.created_at > SURELY_FIRST
    ]
    bodies: Bodies = {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        if retries:
            await cursor.execute(_FROZEN, [retries])
            bodies = {row["delivery_id"]: (row["request_body"].encode(), False) for row in await cursor.fetchall()}
        fresh = {delivery.id: delivery for delivery in claimed if delivery.id not in bodies}
        if not fresh:
            return bodies
        await cursor.execute(_EVENTS, _asked(fresh.values(), destinations))
        events = await cursor.fetchall()
        histories = await _histories(cursor, fresh, events)
        for event in events:
            event["told"] = with_links(event["told"] or "{}")
    for event in events:
        bodies[event["delivery"]] = (render(fresh[event["delivery"]], event, histories), True)
    return bodies


async def _histories(
    cursor: AsyncCursor[dict[str, Any]], fresh: dict[UUID, ClaimedDelivery], events: list[dict[str, Any]]
) -> Histories:
    """Return the JSON of each conversation that is told of, and of those told with the lead's whole history."""
    histories: Histories = {}
    for whole, query in ((False, _HISTORY), (True, _WHOLE_HISTORY)):
        conversation_ids = {
            event["conversation_id"] for event in events if fresh[event["delivery"]].is_announcement is whole
        } - {None}
        if conversation_ids:
            await cursor.execute(query, [list(conversation_ids), HISTORY_MESSAGES])
            rows = await cursor.fetchall()
            shown = _conversations(rows, await _files(cursor, rows))
            histories |= {(key, whole): json.dumps(value, ensure_ascii=False) for key, value in shown.items()}
    return histories


def _asked(fresh: Iterable[ClaimedDelivery], destinations: dict[UUID, Destination]) -> list[list[Any]]:
    """The columns of the question: delivery, event, whether the source's name is wanted, whether it announces."""
    named = {lane_id for lane_id, destination in destinations.items() if destination.includes_source_name}
    rows = [(delivery.id, delivery.event_id, delivery.lane_id in named, delivery.is_announcement) for delivery in fresh]
    return [list(column) for column in zip(*rows, strict=True)]


def render(delivery: ClaimedDelivery, event: dict[str, Any], histories: Histories) -> bytes:
    """Return the JSON of one event as one endpoint sees it."""
    data = event["told"]
    history = histories.get((event["conversation_id"], delivery.is_announcement))
    if history:
        data = f'{data[:-1]}, "conversation": {history}}}'
    happened_at, webhook_id = rfc3339(event["happened_at"]), encode("evt", delivery.event_id)
    return (
        f'{{"type": "{delivery.event_type}", "timestamp": "{happened_at}", "id": "{webhook_id}",'
        f' "sequence": {event["sequence"]}, "data": {data}}}'
    ).encode()


async def _files(cursor: AsyncCursor[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the files of those messages that have some, with links that need no key."""
    ids = [row["id"] for row in rows if row["attachment_count"]]
    files: dict[UUID, list[dict[str, Any]]] = {}
    if ids:
        await cursor.execute(_FILES, [ids])
        for row in await cursor.fetchall():
            files.setdefault(row["message_id"], []).append(_file(row))
    return files


def _file(row: dict[str, Any]) -> dict[str, Any]:
    return _with_link(attachment_json(Attachment(**row)))


def _with_link(file: dict[str, Any]) -> dict[str, Any]:
    named = decode("file", file["id"])
    return {**file, "url": link_to(named, DOWNLOAD, TOLD_LASTS) if file["url"] and named else None}


def with_links(told: str) -> str:
    """Give the files of an event links that need no key, in place of the API's."""
    if '"attachments": [{' not in told:
        return told
    event = json.loads(told)
    message = event.get("message") or {}
    message["attachments"] = [_with_link(file) for file in message.get("attachments", ())]
    return json.dumps(event, ensure_ascii=False)


def _conversations(
    rows: Iterable[dict[str, Any]], files: dict[UUID, list[dict[str, Any]]]
) -> dict[UUID, dict[str, Any]]:
    conversations: dict[UUID, dict[str, Any]] = {}
    sizes: dict[UUID, int] = {}
    for row in rows:
        shown = conversations.setdefault(
            row["conversation"],
            {
                "id": encode("conv", row["conversation"]),
                "title": row["title"],
                "status": "closed" if row["closed_at"] else "open",
                "messaging_channel_id": row["channel"],
                "handled_by": row["handled_by"],
                "created_at": rfc3339(row["opened_at"]),
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
                "attachments": files.get(row["id"], []),
                "messaging_channel_connection_id": row["connection_id"],
                "status": row["status"],
                "created_at": rfc3339(row["created_at"]),
            }
        )
    return conversations
