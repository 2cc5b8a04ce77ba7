"""The caller of an API request, identified by its key, and how a token becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.utils import timezone

from accounts.models import Membership, Source
from accounts.reach import Reach
from accounts.rights import Right
from api.models import ApiToken
from core.ids import decode
from core.problems import NotFound, Refusal

USED_AT_MOST_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class KeyedSource:
    """A source that a card's key opens, with the card's options there."""

    id: UUID
    name: str
    kind: str
    is_enabled: bool
    needs_contact: bool
    only_new_leads: bool
    includes_source_name: bool


@dataclass(frozen=True)
class Caller:
    """Whoever calls with a key. `is_source_key`: the key is for replies, and opens no operation beyond those."""

    is_source_key: ClassVar[bool] = False
    is_authenticated: ClassVar[bool] = True

    kind: str  # source_key, staff, app, directory
    name: str
    principal: str  # what idempotency and limits count by: it survives a key's rotation
    key_id: UUID
    key_prefix: str
    key_last_four: str
    key_created_at: datetime
    key_expires_at: datetime | None
    organization_id: UUID
    granted: Reach
    scopes: frozenset[str] = frozenset()
    home_source_id: UUID | None = None
    names_a_place: bool = False  # the call has the header X-On-Behalf-Of
    named_source_id: UUID | None = None  # the source that the header names; None for an organization
    address: str | None = None
    creator: Membership | None = None  # of a token: whose rights it carries

    def reach(self, right: Right = Right.READ) -> Reach:
        """Return what the key opens. Its scopes say what may be done there, so it has every right or none."""
        return self.granted

    @property
    def idempotency_scope(self) -> str:
        """Whose Idempotency-Keys these are: one token may act for several organizations."""
        place = self.named_source_id or (self.organization_id if self.kind == ApiToken.Kind.DIRECTORY else None)
        return f"{self.principal}:{place}" if place else self.principal

    @property
    def rate_limit_factor(self) -> int:
        """How many times the usual limit it has."""
        return 1

    @property
    def sources(self) -> dict[UUID, KeyedSource]:
        """The sources of a card's key, by id; none for a token, which no card limits."""
        return {}

    def require_scope(self, scope: str) -> None:
        """Raise Refusal 403 unless the key has the scope; write includes read."""
        resource, _, verb = scope.partition(":")
        if scope not in self.scopes and not (verb == "read" and f"{resource}:write" in self.scopes):
            raise Refusal(403, "token.scopeMissing", f"This key needs the scope {scope}.", extra={"scope": scope})

    def require_source(self, source_id: UUID) -> KeyedSource | None:
        """Return a source with its card's options, for a card's key; None for a token.

        Raise NotFound for a source that the key does not open, Refusal 403 where its card is off.
        """
        return None

    def enabled_sources(self) -> list[KeyedSource] | None:
        """Return the sources whose card is on, for a card's key; None for a token. Raise Refusal 403 for none."""
        return None


def find_token_caller(key: str, address: str | None, on_behalf_of: str = "") -> Caller | None:
    """Return the caller with this token, or None for one that is unknown or stopped.

    `on_behalf_of` is the header X-On-Behalf-Of. Raise Refusal `organization.required` where an operator's token lacks
    it, NotFound where it names nothing that the token reaches.
    """
    token = ApiToken.objects.select_related("creator__user").with_key(key).first()
    if token is None or not token.is_live:
        return None
    if is_stale(token.last_used_at):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now(), last_used_from=address)
    place = _directory_place(token, on_behalf_of) if token.creator is None else _own_place(token, on_behalf_of)
    is_staff = token.kind == ApiToken.Kind.STAFF
    return Caller(
        kind=token.kind,
        name=token.name,
        principal=f"member:{token.creator_id}" if is_staff else f"token:{token.pk}",
        key_id=token.pk,
        key_prefix=token.prefix,
        key_last_four=token.last_four,
        key_created_at=token.created_at,
        key_expires_at=token.expires_at,
        organization_id=place.organization_id,
        granted=place.reach,
        names_a_place=bool(on_behalf_of),
        named_source_id=place.source_id,
        scopes=token.scopes_in_force,
        address=address,
        creator=token.creator,
    )


@dataclass(frozen=True)
class ActingFor:
    """On whose behalf a token calls."""

    organization_id: UUID
    reach: Reach
    source_id: UUID | None = None  # that the header names


def _own_place(token: ApiToken, named: str) -> ActingFor:
    """An app's or a member's token: its organization, cut down to its creator's sources, and to a source named."""
    assert token.creator is not None  # noqa: S101  the caller looked
    assert token.organization_id is not None  # noqa: S101  all tokens but the operator's have one
    whole = Reach(organization_ids=frozenset({token.organization_id}))
    reach = Reach(source_ids=token.creator.source_ids) if token.creator.is_limited else whole
    if not named or decode("org", named) == token.organization_id:
        return ActingFor(token.organization_id, reach)
    if named.startswith("org_"):
        raise NotFound("organization")
    sources = Source.objects.filter(reach.where(organization="organization_id", source="pk"))
    return _at(sources.named(named, organizations=[token.organization_id]).first())


def _directory_place(token: ApiToken, named: str) -> ActingFor:
    """An operator's token: one of its organizations, which it must name."""
    if not named:
        detail = "Name an organization, or a source, in the header X-On-Behalf-Of."
        raise Refusal(400, "organization.required", detail)
    if named.startswith("org_"):
        organization_id = decode("org", named)
        if organization_id is None or not token.organizations.filter(pk=organization_id).exists():
            raise NotFound("organization")
        return ActingFor(organization_id, Reach(organization_ids=frozenset({organization_id})))
    sources = Source.objects.named(named, organizations=token.organizations.all())[:2]
    if len(sources) > 1:
        raise Refusal(400, "organization.ambiguous", "Several sources have this external id. Name one by its id.")
    return _at(sources[0] if sources else None)


def _at(source: Source | None) -> ActingFor:
    """A source, and with a business its locations."""
    if source is None:
        raise NotFound("source")
    locations = Source.objects.filter(parent=source).values_list("pk", flat=True)
    return ActingFor(source.organization_id, Reach(source_ids=frozenset({source.pk, *locations})), source.pk)


def is_stale(last_used_at: datetime | None) -> bool:
    """True when the moment of a key's last use has to be written again: at most once a minute."""
    return last_used_at is None or timezone.now() - last_used_at > USED_AT_MOST_EVERY
