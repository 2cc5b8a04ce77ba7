"""The outbox, step by step on a connection of its own."""

from __future__ import annotations

import asyncio

from outbox.claims import Turn
from outbox.database import connect, hang_up
from outbox.models import Lane, SlotKind

URL = "http://127.0.0.1:9/hook"


def slots(count):
    """A turn of so many slots of each slot_kind."""
    return dict.fromkeys(SlotKind, Turn(count))


def outbox(work):
    """Run one step of the outbox on a connection of its own, as the stream does."""

    async def run():
        connection = await connect()
        try:
            return await work(connection)
        finally:
            await hang_up(connection)

    return asyncio.run(run())


def lane_of(source) -> Lane:
    return Lane.objects.get(rest_webhook__source=source)
