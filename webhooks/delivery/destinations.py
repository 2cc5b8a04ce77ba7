"""Where a lane's deliveries go and with which secrets. This is read again for each claim."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from accounts.rights import ROLES_WITH, Right
from core.secrets import Secret
from webhooks.client_certificates import context_for
from webhooks.delivery.claims import ClaimedDelivery

_ENDPOINTS = """
SELECT card.lane_id, coalesce(owner.url, '') AS url, card.sends_secret_header, card.includes_source_name,
    array_agg(secret.signing_secret ORDER BY secret.ends_at NULLS FIRST)
        FILTER (WHERE secret.id IS NOT NULL) AS signing,
    array_agg(secret.header_secret ORDER BY secret.ends_at NULLS LAST)
        FILTER (WHERE secret.header_ended_at IS NULL) AS header
FROM webhooks_restwebhook card
JOIN accounts_source source ON source.id = card.source_id
LEFT JOIN webhooks_restwebhook owner
    ON owner.source_id = CASE WHEN card.inherits_at IS NULL THEN card.source_id ELSE source.parent_id END
LEFT JOIN webhooks_webhooksecret secret
    ON secret.card_id = owner.id AND (secret.ends_at IS NULL OR secret.ends_at > now())
WHERE card.lane_id = ANY(%s)
GROUP BY card.lane_id, owner.url, card.sends_secret_header, card.includes_source_name
"""
# A subscription goes where its creator may see: nowhere any more once the creator is gone.
_SUBSCRIPTIONS = """
SELECT sub.lane_id, sub.url, false AS sends_secret_header, sub.includes_source_name,
    (SELECT array_agg(signing_secret ORDER BY ends_at NULLS FIRST) FROM webhooks_subscriptionsecret
     WHERE subscription_id = sub.id AND (ends_at IS NULL OR ends_at > now())) AS signing,
    NULL::text[] AS header, sub.headers, sub.basic_username, sub.basic_password, sub.client_certificate,
    sub.client_key, CASE WHEN creator.limited_at IS NOT NULL THEN ARRAY(
        SELECT source.id FROM accounts_sourceaccess access
        JOIN accounts_source source ON access.source_id IN (source.id, source.parent_id)
        WHERE access.membership_id = creator.id) END AS only_sources
FROM webhooks_subscription sub
JOIN accounts_membership creator ON creator.id = sub.creator_id
JOIN accounts_user person ON person.id = creator.user_id AND person.is_active
WHERE sub.lane_id = ANY(%s) AND sub.deleted_at IS NULL
    AND creator.removed_at IS NULL AND creator.accepted_at IS NOT NULL AND creator.role = ANY(%s)
"""


@dataclass
class Destination:
    """One receiver. In an overlap the header carries the old value first.

    `signing`, `header`, `headers`, `basic_password` and `client_key` are ciphertexts. What stands below them only
    subscriptions have.
    """

    lane_id: UUID
    url: str
    sends_secret_header: bool
    includes_source_name: bool
    signing: list[str] | None
    header: list[str] | None
    headers: str | None = None
    basic_username: str = ""
    basic_password: str | None = None
    client_certificate: str = ""
    client_key: str | None = None
    only_sources: list[UUID] | None = None

    @property
    def is_connected(self) -> bool:
        return bool(self.url and self.signing)

    @cached_property
    def signing_secrets(self) -> list[str]:
        return [Secret(token).reveal() for token in self.signing or []]

    @cached_property
    def header_secret(self) -> str | None:
        tokens = [token for token in self.header or [] if token]
        return Secret(tokens[0]).reveal() if self.sends_secret_header and tokens else None

    @cached_property
    def own_headers(self) -> dict[str, str]:
        """The custom headers, and basic authentication if it is set."""
        own: dict[str, str] = json.loads(Secret(self.headers).reveal()) if self.headers else {}
        if self.basic_password:
            pair = f"{self.basic_username}:{Secret(self.basic_password).reveal()}".encode()
            own["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return own

    @property
    def tls(self) -> ssl.SSLContext | Literal[True]:
        """How its TLS is spoken: with a certificate of ours where it wants one."""
        return context_for(self.client_certificate, Secret(self.client_key)) if self.client_key else True

    def may_hear_of(self, delivery: ClaimedDelivery) -> bool:
        """False for an event of a source that the subscription's creator may no longer see."""
        return self.only_sources is None or delivery.is_test or delivery.source_id in self.only_sources


async def load_destinations(connection: AsyncConnection[Any], lane_ids: set[UUID]) -> dict[UUID, Destination]:
    async with connection.cursor(row_factory=class_row(Destination)) as cursor:
        await cursor.execute(_ENDPOINTS, [list(lane_ids)])
        destinations = {destination.lane_id: destination for destination in await cursor.fetchall()}
        if others := [lane_id for lane_id in lane_ids if lane_id not in destinations]:
            await cursor.execute(_SUBSCRIPTIONS, [others, sorted(ROLES_WITH[Right.CONFIGURE])])
            destinations |= {destination.lane_id: destination for destination in await cursor.fetchall()}
    return destinations
