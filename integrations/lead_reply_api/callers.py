"""Callers with the secret key of a Lead Reply API card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.reach import Reach
from api.callers import Caller, KeyedSource, is_stale
from core.problems import NotFound, Refusal
from core.secrets import digest
from integrations.lead_reply_api.models import LeadReplyApi, ReplyKey

REPLY_SCOPES = frozenset({"leads:read", "conversations:write", "channels:read"})  # what a source's key may do


@dataclass(frozen=True)
class ReplyKeyCaller(Caller):
    """A caller with a card's key: it opens the card's source, and the locations that inherit the key."""

    is_source_key: ClassVar[bool] = True
    opened: dict[UUID, KeyedSource] = field(default_factory=dict)

    @property
    def rate_limit_factor(self) -> int:
        """A key that locations inherit serves them too."""
        return max(1, len(self.opened))

    @property
    def sources(self) -> dict[UUID, KeyedSource]:
        return self.opened

    def require_source(self, source_id: UUID) -> KeyedSource:
        source = self.opened.get(source_id)
        if source is None:
            raise NotFound("lead")
        if not source.is_enabled:
            raise disabled()
        return source

    def enabled_sources(self) -> list[KeyedSource]:
        enabled = [source for source in self.opened.values() if source.is_enabled]
        if not enabled:
            raise disabled()
        return enabled


def disabled() -> Refusal:
    return Refusal(403, "integration.disabled", "The Lead Reply API is switched off for this source.")


def refuse_while_off(caller: Caller, source_id: UUID) -> None:
    """Raise Refusal 403 where the card of a token's source is off: it opens the API for replies, whoever calls."""
    if caller.is_source_key:
        return  # its own query asked already
    cards = LeadReplyApi.objects.filter(source=source_id, source__archived_at=None)
    if not cards.exclude(enabled_at=None).exists():
        raise disabled()


# The card's own source, and the locations that inherit it. A key of a card that inherits itself is dormant.
_REPLY_KEY = """
SELECT key.id, key.card_id, key.prefix, key.last_four, key.created_at, key.ends_at, key.last_used_at,
    home.id, home.organization_id, source.id, source.name, source.kind, card.enabled_at IS NOT NULL,
    card.needs_contact, card.only_new_leads, card.includes_source_name
FROM lead_reply_api_replykey key
JOIN lead_reply_api_leadreplyapi owner ON owner.id = key.card_id AND owner.inherits_at IS NULL
JOIN accounts_source home ON home.id = owner.source_id AND home.archived_at IS NULL
JOIN accounts_source source
    ON (source.id = home.id OR source.parent_id = home.id) AND source.archived_at IS NULL
JOIN lead_reply_api_leadreplyapi card
    ON card.source_id = source.id AND (card.id = owner.id OR card.inherits_at IS NOT NULL)
WHERE key.digest = %s AND (key.ends_at IS NULL OR key.ends_at > now())
"""


def find_reply_key_caller(key: str, address: str | None) -> ReplyKeyCaller | None:
    """Return the caller with this key, or None for one that is unknown, ended or dormant."""
    with connection.cursor() as cursor:
        cursor.execute(_REPLY_KEY, [digest(key)])
        rows = cursor.fetchall()
    if not rows:
        return None
    key_id, card_id, prefix, last_four, created_at, ends_at, last_used_at, home_id, organization_id = rows[0][:9]
    sources = {row[9]: KeyedSource(*row[9:]) for row in rows}
    if is_stale(last_used_at):
        ReplyKey.objects.filter(pk=key_id).update(last_used_at=timezone.now(), last_used_from=address)
    return ReplyKeyCaller(
        kind=ReplyKey.CALLER,
        name=f"Lead Reply API of {sources[home_id].name}" if home_id in sources else "Lead Reply API",
        principal=f"card:{card_id}",
        key_id=key_id,
        key_prefix=prefix,
        key_last_four=last_four,
        key_created_at=created_at,
        key_expires_at=ends_at,
        organization_id=organization_id,
        granted=Reach(source_ids=frozenset(sources)),
        scopes=REPLY_SCOPES,
        opened=sources,
        home_source_id=home_id,
        address=address,
    )
