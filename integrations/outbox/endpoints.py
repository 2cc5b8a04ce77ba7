"""Where a lane's deliveries go and with which secrets, read anew for each claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from integrations.secrets import Secret

_ENDPOINTS = """
SELECT card.lane_id, coalesce(owner.url, '') AS url, card.sends_secret_header, card.includes_source_name,
    array_agg(secret.signing_secret ORDER BY secret.ends_at NULLS FIRST)
        FILTER (WHERE secret.id IS NOT NULL) AS signing,
    array_agg(secret.header_secret ORDER BY secret.ends_at NULLS LAST)
        FILTER (WHERE secret.header_ended_at IS NULL) AS header,
    min(secret.created_at) AS since
FROM integrations_restwebhook card
JOIN integrations_source source ON source.id = card.source_id
LEFT JOIN integrations_restwebhook owner
    ON owner.source_id = CASE WHEN card.inherits_at IS NULL THEN card.source_id ELSE source.parent_id END
LEFT JOIN integrations_webhooksecret secret
    ON secret.card_id = owner.id AND (secret.ends_at IS NULL OR secret.ends_at > now())
WHERE card.lane_id = ANY(%s)
GROUP BY card.lane_id, owner.url, card.sends_secret_header, card.includes_source_name
"""


@dataclass
class Endpoint:
    """One receiver. `signing` and `header` are ciphertexts; in an overlap the header carries the old value first."""

    lane_id: UUID
    url: str
    sends_secret_header: bool
    includes_source_name: bool
    signing: list[str] | None
    header: list[str] | None
    since: datetime | None

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


async def load_endpoints(connection: AsyncConnection[Any], lane_ids: set[UUID]) -> dict[UUID, Endpoint]:
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(_ENDPOINTS, [list(lane_ids)])
        return {endpoint.lane_id: endpoint for endpoint in await cursor.fetchall()}
