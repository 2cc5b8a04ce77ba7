"""Who calls the API: a source's key, or a token of an organization."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from core.ids import decode
from core.problems import NotFound, Refusal
from core.secrets import digest, is_well_formed
from integrations.access import Reach, limited_sources
from integrations.models import ApiToken, ReplyKey, Source

REPLY_SCOPES = frozenset({"leads:read", "conversations:write", "channels:read"})  # what a source's key may do
USED_AT_MOST_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class OpenSource:
    """A source that a card's key opens, with what its card says."""

    id: UUID
    name: str
    kind: str
    is_enabled: bool
    needs_contact: bool
    only_new_leads: bool
    includes_source_name: bool


@dataclass(frozen=True)
class Caller:
    """The one kind of principal that the API knows."""

    kind: str  # source_key, staff, app, directory
    name: str
    principal: str  # what idempotency and limits count by: it survives a key's rotation
    key_id: UUID
    key_prefix: str
    key_last_four: str
    key_created_at: datetime
    key_expires_at: datetime | None
    organization_id: UUID
    reach: Reach
    scopes: frozenset[str] = frozenset()
    sources: dict[UUID, OpenSource] = field(default_factory=dict)  # a source's key only
    home_source_id: UUID | None = None
    names_a_place: bool = False  # the call has the header X-On-Behalf-Of
    named_source_id: UUID | None = None  # the source that the header names; None for an organization
    address: str | None = None
    maker: Membership | None = None  # of a token: whose rights it carries

    is_authenticated = True

    @property
    def is_source_key(self) -> bool:
        return self.kind == ReplyKey.CALLER

    @property
    def idempotency_scope(self) -> str:
        """Whose Idempotency-Keys these are: one token may act for several organizations."""
        place = self.named_source_id or (self.organization_id if self.kind == ApiToken.Kind.DIRECTORY else None)
        return f"{self.principal}:{place}" if place else self.principal

    @property
    def times(self) -> int:
        """How many times the usual limit it has: a key that locations inherit serves them too."""
        return max(1, len(self.sources))

    def require_scope(self, scope: str) -> None:
        """Raise Refusal 403 unless the key has the scope; write includes read. A source's key is for replies."""
        scopes = REPLY_SCOPES if self.is_source_key else self.scopes
        resource, _, verb = scope.partition(":")
        if scope not in scopes and not (verb == "read" and f"{resource}:write" in scopes):
            raise Refusal(403, "token.scopeMissing", f"This key needs the scope {scope}.", extra={"scope": scope})

    def require_source(self, source_id: UUID) -> OpenSource | None:
        """Raise NotFound for a source that is not the caller's, Refusal 403 where its card is off."""
        if not self.is_source_key:
            return None
        source = self.sources.get(source_id)
        if source is None:
            raise NotFound("lead")
        if not source.is_enabled:
            raise disabled()
        return source

    def enabled_sources(self) -> list[OpenSource]:
        """The sources whose card is on. Raise Refusal 403 when there is none."""
        enabled = [source for source in self.sources.values() if source.is_enabled]
        if not enabled:
            raise disabled()
        return enabled


def disabled() -> Refusal:
    return Refusal(403, "integration.disabled", "The Lead Reply API is switched off for this source.")


# The card's own source, and the locations that inherit it. A key of a card that inherits itself is dormant.
_REPLY_KEY = """
SELECT key.id, key.card_id, key.prefix, key.last_four, key.created_at, key.ends_at, key.last_used_at,
    home.id, home.organization_id, source.id, source.name, source.kind, card.enabled_at IS NOT NULL,
    card.needs_contact, card.only_new_leads, card.includes_source_name
FROM integrations_replykey key
JOIN integrations_leadreplyapi owner ON owner.id = key.card_id AND owner.inherits_at IS NULL
JOIN integrations_source home ON home.id = owner.source_id AND home.archived_at IS NULL
JOIN integrations_source source
    ON (source.id = home.id OR source.parent_id = home.id) AND source.archived_at IS NULL
JOIN integrations_leadreplyapi card
    ON card.source_id = source.id AND (card.id = owner.id OR card.inherits_at IS NOT NULL)
WHERE key.digest = %s AND (key.ends_at IS NULL OR key.ends_at > now())
"""


def find_caller(key: str, address: str | None, on_behalf_of: str = "") -> Caller | None:
    """Return whose key this is, or None for one that is malformed, unknown, ended or dormant.

    `on_behalf_of` is the header X-On-Behalf-Of of a token. Raise Refusal `organization.required` where it is missing,
    NotFound where it names nothing that the token reaches.
    """
    if not is_well_formed(key):
        return None
    return _reply_key_caller(key, address) if key.startswith("lwr_") else _token_caller(key, address, on_behalf_of)


def _reply_key_caller(key: str, address: str | None) -> Caller | None:
    with connection.cursor() as cursor:
        cursor.execute(_REPLY_KEY, [digest(key)])
        rows = cursor.fetchall()
    if not rows:
        return None
    key_id, card_id, prefix, last_four, created_at, ends_at, last_used_at, home_id, organization_id = rows[0][:9]
    sources = {row[9]: OpenSource(*row[9:]) for row in rows}
    if _is_stale(last_used_at):
        ReplyKey.objects.filter(pk=key_id).update(last_used_at=timezone.now(), last_used_from=address)
    return Caller(
        kind=ReplyKey.CALLER,
        name=f"Lead Reply API of {sources[home_id].name}" if home_id in sources else "Lead Reply API",
        principal=f"card:{card_id}",
        key_id=key_id,
        key_prefix=prefix,
        key_last_four=last_four,
        key_created_at=created_at,
        key_expires_at=ends_at,
        organization_id=organization_id,
        reach=Reach(source_ids=frozenset(sources)),
        sources=sources,
        home_source_id=home_id,
        address=address,
    )


def _token_caller(key: str, address: str | None, on_behalf_of: str) -> Caller | None:
    token = ApiToken.objects.select_related("maker__user").with_key(key).first()
    if token is None or not token.is_live:
        return None
    if _is_stale(token.last_used_at):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now(), last_used_from=address)
    place = _directory_place(token, on_behalf_of) if token.maker is None else _own_place(token, on_behalf_of)
    is_staff = token.kind == ApiToken.Kind.STAFF
    return Caller(
        kind=token.kind,
        name=token.name,
        principal=f"member:{token.maker_id}" if is_staff else f"token:{token.pk}",
        key_id=token.pk,
        key_prefix=token.prefix,
        key_last_four=token.last_four,
        key_created_at=token.created_at,
        key_expires_at=token.expires_at,
        organization_id=place.organization_id,
        reach=place.reach,
        names_a_place=bool(on_behalf_of),
        named_source_id=place.source_id,
        scopes=token.scopes_in_force,
        address=address,
        maker=token.maker,
    )


@dataclass(frozen=True)
class Place:
    """On whose behalf a token calls."""

    organization_id: UUID
    reach: Reach
    source_id: UUID | None = None  # that the header names


def _own_place(token: ApiToken, named: str) -> Place:
    """An app's or a member's token: its organization, cut down to its maker's sources, and to a source named."""
    assert token.maker is not None  # noqa: S101  the caller looked
    assert token.organization_id is not None  # noqa: S101  all tokens but the operator's have one
    whole = Reach(organization_ids=frozenset({token.organization_id}))
    reach = Reach(source_ids=limited_sources([token.maker.pk])) if token.maker.is_limited else whole
    if not named or decode("org", named) == token.organization_id:
        return Place(token.organization_id, reach)
    if named.startswith("org_"):
        raise NotFound("organization")
    sources = Source.objects.filter(reach.where(organization="organization_id", source="pk"))
    return _at(sources.named(named, organizations=[token.organization_id]).first())


def _directory_place(token: ApiToken, named: str) -> Place:
    """An operator's token: one of its organizations, which it must name."""
    if not named:
        words = "Name an organization, or a source, in the header X-On-Behalf-Of."
        raise Refusal(400, "organization.required", words)
    if named.startswith("org_"):
        wanted = decode("org", named)
        if wanted is None or not token.organizations.filter(pk=wanted).exists():
            raise NotFound("organization")
        return Place(wanted, Reach(organization_ids=frozenset({wanted})))
    found = Source.objects.named(named, organizations=token.organizations.all())[:2]
    if len(found) > 1:
        raise Refusal(400, "organization.ambiguous", "Several sources have this external id. Name one by its id.")
    return _at(found[0] if found else None)


def _at(source: Source | None) -> Place:
    """A source, and with a business its locations."""
    if source is None:
        raise NotFound("source")
    locations = Source.objects.filter(parent=source).values_list("pk", flat=True)
    return Place(source.organization_id, Reach(source_ids=frozenset({source.pk, *locations})), source.pk)


def _is_stale(last_used_at: datetime | None) -> bool:
    return last_used_at is None or timezone.now() - last_used_at > USED_AT_MOST_EVERY
