"""Who belongs to an organization, and what they may do there."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership, Organization, Source, SourceAccess, User
from accounts.rights import Role
from accounts.services.invitations import post_invitation
from core.problems import Refusal


@transaction.atomic
def invite(
    *, organization: Organization, actor: Actor, email: str, name: str, role: str, sources: Iterable[Source] = ()
) -> Membership:
    """Make a person a member and send them an invitation. A person who already has a login has to accept it first.

    Raise Refusal `member.exists` when they are a member or invited already.
    """
    known = User.objects.filter(email__iexact=email).first()
    if known and Membership.objects.not_removed().filter(organization=organization, user=known).exists():
        raise Refusal(409, "member.exists", "This person is a member or invited already.")
    user = known or User.objects.create_user(email, name=name)
    membership = Membership.objects.create(
        organization=organization, user=user, role=role, accepted_at=None if known else timezone.now()
    )
    limit(membership, sources)
    actor.record("member.invite", organization=organization, target=user.email, after=_state(membership))
    post_invitation(membership)
    return membership


@transaction.atomic
def answer_invitation(*, membership: Membership, actor: Actor, accepts: bool) -> None:
    """The invited person says yes or no."""
    field = "accepted_at" if accepts else "removed_at"
    setattr(membership, field, timezone.now())
    membership.save(update_fields=[field])
    action = "member.accept" if accepts else "member.decline"
    actor.record(action, organization=membership.organization, target=membership.user.email)


@transaction.atomic
def change(*, membership: Membership, actor: Actor, role: str, sources: Iterable[Source]) -> None:
    """Change a member's role and limit. Raise Refusal `member.lastOwner` rather than leave nobody in charge."""
    if role != Role.OWNER or list(sources):
        _keep_an_owner(membership)
    before = _state(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    limit(membership, sources)
    actor.record(
        "member.change",
        organization=membership.organization,
        target=membership.user.email,
        before=before,
        after=_state(membership),
    )


@transaction.atomic
def remove(*, membership: Membership, actor: Actor) -> None:
    """End a membership; the tokens that the person made stop with it."""
    _keep_an_owner(membership)
    membership.removed_at = timezone.now()
    membership.save(update_fields=["removed_at"])
    actor.record(
        "member.remove", organization=membership.organization, target=membership.user.email, before=_state(membership)
    )


def limit(membership: Membership, sources: Iterable[Source]) -> None:
    """Limit a member to sources; without any they see all of the organization."""
    chosen = list(sources)
    membership.limited_at = timezone.now() if chosen else None
    membership.save(update_fields=["limited_at"])
    membership.source_accesses.all().delete()
    SourceAccess.objects.bulk_create(SourceAccess(membership=membership, source=source) for source in chosen)


def _keep_an_owner(membership: Membership) -> None:
    owners = (
        Membership.objects.active()
        .select_for_update()
        .filter(organization=membership.organization, role=Role.OWNER, limited_at=None)
    )
    if not [owner for owner in owners if owner.pk != membership.pk]:
        raise Refusal(409, "member.lastOwner", "An organization needs an owner. Make somebody else one first.")


def _state(membership: Membership) -> dict[str, object]:
    limit = [access.source.name for access in membership.source_accesses.select_related("source")]
    return {"role": membership.role, "limited_to": limit}
