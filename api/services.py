"""API tokens: made once, shown once, revoked for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership, Organization
from api.models import ApiToken
from core.problems import Refusal
from core.secrets import make_key

TOKENS_MAX = 100  # of an organization


@transaction.atomic
def make_token(
    *,
    creator: Membership,
    actor: Actor,
    name: str,
    scopes: list[str],
    kind: ApiToken.Kind = ApiToken.Kind.APP,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token of the creator's organization, limited to the creator's sources. Return it and the key itself.

    An app's token answers for an application, a staff token for its creator, with the creator's rights of each moment.
    Raise Refusal `token.tooMany`: each may call a hundred times a minute.
    """
    if ApiToken.objects.filter(organization=creator.organization, revoked_at=None).count() >= TOKENS_MAX:
        raise Refusal(409, "token.tooMany", f"An organization has at most {TOKENS_MAX} tokens. Revoke one first.")
    token, key = _make(kind, actor, name, scopes, expires_at, organization=creator.organization, creator=creator)
    after = {"scopes": scopes, "kind": kind.value, "expires_at": expires_at.isoformat() if expires_at else None}
    actor.record("token.make", organization=creator.organization, target=f"{name} ({token})", after=after)
    return token, key


@transaction.atomic
def make_directory_token(
    *,
    actor: Actor,
    name: str,
    scopes: list[str],
    organizations: Iterable[Organization],
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make an operator's token for several organizations. Each has it in its audit log."""
    token, key = _make(ApiToken.Kind.DIRECTORY, actor, name, scopes, expires_at)
    token.organizations.set(organizations)
    for organization in organizations:
        actor.record("token.make", organization=organization, target=f"{name} ({token})", after={"scopes": scopes})
    return token, key


def _make(
    kind: ApiToken.Kind, actor: Actor, name: str, scopes: list[str], expires_at: datetime | None, **whose: Any
) -> tuple[ApiToken, str]:
    key = make_key(ApiToken.PREFIXES[kind])
    token = ApiToken(kind=kind, name=name, scopes=sorted(scopes), expires_at=expires_at, created_by=actor.user, **whose)
    token.take(key).save(force_insert=True)
    return token, key


@transaction.atomic
def rotate_token(*, token: ApiToken, actor: Actor, overlap: timedelta | None) -> str:
    """Make a new key of a token and return it. The old one works for `overlap`; None ends it now."""
    token = ApiToken.objects.select_for_update().get(pk=token.pk)
    if not token.is_live:
        raise Refusal(409, "token.stopped", f"{token.stopped_because}. Make a new token.")
    before = str(token)
    token.previous_digest = token.digest if overlap else None
    token.previous_last_four = token.last_four if overlap else ""
    token.previous_ends_at = timezone.now() + overlap if overlap else None
    key = make_key(ApiToken.PREFIXES[ApiToken.Kind(token.kind)])
    token.take(key)
    names = ["digest", "prefix", "last_four", "previous_digest", "previous_last_four", "previous_ends_at"]
    token.save(update_fields=names)
    for organization_id in _organizations_of(token):
        after = {"key": str(token), "overlap": f"{overlap or 'none'}"}
        actor.record(
            "token.rotate", organization=organization_id, target=token.name, before={"key": before}, after=after
        )
    return key


def _organizations_of(token: ApiToken) -> list[UUID]:
    if token.organization_id:
        return [token.organization_id]
    return list(token.organizations.values_list("pk", flat=True))


@transaction.atomic
def transfer(*, token: ApiToken, by: Membership, actor: Actor) -> None:
    """Make `by` answer for a token: it works again, with their limit to sources."""
    before = str(token.creator)
    token.creator = by
    token.save(update_fields=["creator"])
    actor.record(
        "token.takeOver",
        organization=by.organization,
        target=f"{token.name} ({token})",
        before={"creator": before},
        after={"creator": str(by)},
    )


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """The token stops working now."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    for organization_id in _organizations_of(token):
        actor.record(
            "token.revoke",
            organization=organization_id,
            target=f"{token.name} ({token})",
            before={"scopes": token.scopes, "creator": str(token.creator)},
            after={"revoked": True},
        )
