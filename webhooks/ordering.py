"""Keep the deliveries of one conversation and endpoint in order: only the first open one of an order key is due.

A transaction that adds a row locks the last open row of its key, so that this one can neither end nor step aside before
the commit. A transaction that ends the first row locks it against such an addition and then, in a new statement, makes
the next row due. So every waiting row has an open row ahead of it. `outbox/sweeps.py` checks that.

Keys are locked in the order of lane, key and sequence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

Key = tuple[UUID, UUID]  # a lane and an order key

# A claim does not wait for these locks, and they do not wait for a claim: no key changes.
_LOCK_LAST = """
SELECT k.lane_id, k.order_key FROM unnest(%s::uuid[], %s::uuid[]) k(lane_id, order_key) CROSS JOIN LATERAL (
    SELECT FROM webhooks_delivery WHERE lane_id = k.lane_id AND order_key = k.order_key
    ORDER BY sequence DESC, id DESC LIMIT 1 FOR KEY SHARE) last
"""
_WAKE_NEXT = """
WITH head AS MATERIALIZED (
    SELECT first.id FROM unnest(%s::uuid[], %s::uuid[]) k(lane_id, order_key) CROSS JOIN LATERAL (
        SELECT id FROM webhooks_delivery WHERE lane_id = k.lane_id AND order_key = k.order_key
        ORDER BY sequence, id LIMIT 1 FOR NO KEY UPDATE) first
)
UPDATE webhooks_delivery d SET next_attempt_at = now() FROM head
WHERE d.id = head.id AND d.next_attempt_at IS NULL RETURNING d.lane_id
"""


def keys_in_use(keys: Iterable[Key]) -> set[Key]:
    """Return those keys that have an open delivery, which cannot end before our commit."""
    if not (sorted_keys := sorted(set(keys))):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_LAST, _columns(sorted_keys))
        return set(cursor.fetchall())


def wake_next(keys: Iterable[Key]) -> set[UUID]:
    """Make the first delivery of each key due. Return the lanes that have one to do now.

    Call it in the transaction that ended the ones ahead, in a statement after it.
    """
    if not (sorted_keys := sorted(set(keys))):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_WAKE_NEXT, _columns(sorted_keys))
        return {lane_id for (lane_id,) in cursor.fetchall()}


async def wake_next_in(cursor: Any, keys: Iterable[Key]) -> list[UUID]:
    """Do the same in the transaction of an outbox's worker."""
    if not (sorted_keys := sorted(set(keys))):
        return []
    await cursor.execute(_WAKE_NEXT, _columns(sorted_keys))
    return [row[0] for row in await cursor.fetchall()]


def _columns(keys: list[Key]) -> list[list[UUID]]:
    return [[lane_id for lane_id, _ in keys], [order_key for _, order_key in keys]]
