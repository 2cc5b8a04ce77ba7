"""What several tests of webhooks begin with."""

from __future__ import annotations

import pytest

from tests.support.steps import URL, outbox, slots
from webhooks.delivery.claims import claim_deliveries


@pytest.fixture
def taken(webhook_at, eastgate, lead_at):
    """A claimed delivery of a card that is on."""
    webhook_at(eastgate, URL)
    lead_at(eastgate)
    [claimed_row] = outbox(lambda c: claim_deliveries(c, slots(5)))
    return claimed_row


@pytest.fixture
def key(webhooks_key) -> str:
    return webhooks_key
