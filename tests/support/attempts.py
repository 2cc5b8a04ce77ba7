"""One attempt of a delivery, without a database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from core.secrets import Secret, make_signing_secret
from outbox.models import SlotKind
from webhooks.delivery.attempts import OutgoingRequest, attempt
from webhooks.delivery.claims import ClaimedDelivery
from webhooks.delivery.destinations import Destination
from webhooks.delivery.session import make_session

NOW = datetime.now(UTC)


def claimed(attempts: int = 1, age: timedelta = timedelta(0)) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=uuid4(), lane_id=uuid4(), order_key=uuid4(), slot_kind=SlotKind.FRESH, attempts=attempts, claim=uuid4(),
        next_attempt_at=NOW, created_at=NOW - age, claimed_at=NOW, organization_id=uuid4(), source_id=uuid4(),
        event_id=uuid4(), event_type="lead.created", is_test=False, is_announcement=False, is_aside=False,
    )  # fmt: skip


def send(url: str, delivery: ClaimedDelivery | None = None, seconds: float = 15):
    delivery = delivery or claimed()
    secret = [str(Secret.of(make_signing_secret()).token)]
    endpoint = Destination(
        lane_id=delivery.lane_id, url=url, sends_secret_header=False, includes_source_name=False, signing=secret,
        header=[],
    )  # fmt: skip

    async def run():
        async with make_session(connections=1, seconds=seconds) as session:
            return await attempt(session, OutgoingRequest(delivery, endpoint, b"{}"))

    return asyncio.run(run())
