"""Letters by which somebody gets in: an invitation, and a link to choose a password."""

from __future__ import annotations

from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils import timezone

from accounts import letters
from accounts.models import AuditEntry, Letter, Membership, User

LINK_DAYS = settings.PASSWORD_RESET_TIMEOUT // 86_400
NOBODY = UUID(int=0)  # who asks for a password may belong to no organization


def post_invitation(membership: Membership) -> None:
    """Write to the invited person."""
    letters.post(
        "invitation",
        about=membership.pk,
        to=[membership.user],
        organization_id=membership.organization_id,
    )


def post_password_link(user: User) -> None:
    """Write to somebody who forgot the password, or to whom another did this: it changes nothing."""
    mine = Membership.objects.not_removed().filter(user=user).first()
    letters.post(
        "password",
        about=user.pk,
        to=[user],
        organization_id=mine.organization_id if mine else NOBODY,
        occasion=timezone.now().isoformat(),
    )


def write_invitation(letter: Letter) -> letters.LetterText | None:
    """Say who invites to what, as what. None when the invitation was taken back."""
    rows = Membership.objects.not_removed().select_related("organization", "user")
    membership = rows.filter(pk=letter.about_id).first()
    if membership is None:
        return None
    inviter = _inviter_of(membership)
    page = f"{settings.BASE_URL}{reverse('accounts:account')}"
    return letters.written(
        f"{inviter} invited you to {membership.organization} on Leadwire",
        "mail/invitation.txt",
        membership=membership,
        inviter=inviter,
        url=page if membership.is_offered else password_link(letter.user),
        days=LINK_DAYS,
    )


def write_password_link(letter: Letter) -> letters.LetterText:
    """Say how to choose a new password."""
    values = {"user": letter.user, "url": password_link(letter.user), "days": LINK_DAYS}
    return letters.written("Choose a new password for Leadwire", "mail/password.txt", **values)


def password_link(user: User) -> str:
    """Return a link by which this person, and nobody else, chooses a password: once, for LINK_DAYS days."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    url: str = get_adapter().get_reset_password_from_key_url(key)
    return url


def _inviter_of(membership: Membership) -> str:
    rows = AuditEntry.objects.filter(organization=membership.organization_id, action="member.invite")
    entry = rows.filter(target=membership.user.email).order_by("-id").first()
    return entry.actor if entry else "Somebody"
