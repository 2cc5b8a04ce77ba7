"""API tokens: made once, shown once, revoked for good."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership
from integrations.models import ApiToken
from integrations.secrets import make_key


@transaction.atomic
def make_token(*, maker: Membership, actor: Actor, name: str, scopes: list[str]) -> tuple[ApiToken, str]:
    """Make an app token of the maker's organization, limited to the maker's sources. Return it and the key itself."""
    kind = ApiToken.Kind.APP
    key = make_key(ApiToken.PREFIXES[kind])
    token = ApiToken(
        kind=kind,
        organization=maker.organization,
        maker=maker,
        name=name,
        scopes=sorted(scopes),
        created_by=actor.user,
    ).take(key)
    token.save(force_insert=True)
    actor.record("token.make", organization=maker.organization, target=f"{name} ({token})", after={"scopes": scopes})
    return token, key


@transaction.atomic
def take_over(*, token: ApiToken, by: Membership, actor: Actor) -> None:
    """Make `by` answer for a token: it works again, with their limit to sources."""
    before = str(token.maker)
    token.maker = by
    token.save(update_fields=["maker"])
    actor.record(
        "token.takeOver",
        organization=by.organization,
        target=f"{token.name} ({token})",
        before={"maker": before},
        after={"maker": str(by)},
    )


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """The token stops working now."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    if token.organization_id:
        actor.record(
            "token.revoke",
            organization=token.organization_id,
            target=f"{token.name} ({token})",
            before={"scopes": token.scopes, "maker": str(token.maker)},
            after={"revoked": True},
        )
