"""People with a login, what organizations they belong to, and which sources they see there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models.organizations import Organization
from accounts.models.sources import Source
from accounts.reach import Reach
from accounts.rights import ROLES_WITH, Right, Role
from core.ids import uuid7


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a person; without a password they cannot log in before they chose one by mail."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person with a login. What they may do is said by their memberships."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    phone = models.CharField(max_length=20, blank=True)  # E.164
    texts_at = models.DateTimeField(null=True, blank=True)  # since when they want SMS about new leads
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("operator", default=False, help_text="May use the Django admin.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    @cached_property
    def current_memberships(self) -> list[Membership]:
        """The memberships that count, the oldest first; read once for each request."""
        return list(self.memberships.active().select_related("organization").order_by("created_at"))

    def reach(self, right: Right = Right.READ) -> Reach:
        """Return where this person has the right: whole organizations, and the sources of limited memberships."""
        if right not in self._reach:
            mine = [membership for membership in self.current_memberships if membership.may(right)]
            whole = frozenset(membership.organization_id for membership in mine if not membership.is_limited)
            limited = [membership.source_ids for membership in mine if membership.is_limited]
            self._reach[right] = Reach(whole, frozenset().union(*limited))
        return self._reach[right]

    @cached_property
    def _reach(self) -> dict[Right, Reach]:
        return {}


class MembershipQuerySet(models.QuerySet["Membership"]):
    def not_removed(self) -> Self:
        """Not removed; perhaps not yet accepted."""
        return self.filter(removed_at=None)

    def active(self) -> Self:
        """Those that count: accepted, not removed, of somebody who may log in."""
        return self.not_removed().exclude(accepted_at=None).filter(user__is_active=True)

    def with_right(self, right: Right) -> Self:
        return self.filter(role__in=ROLES_WITH[right])

    def near(self, source_ids: Iterable[UUID]) -> Self:
        """Those who see every source, and those limited to one of these."""
        return self.filter(
            models.Q(limited_at=None) | models.Q(source_accesses__source__in=list(source_ids))
        ).distinct()

    def people(self) -> list[User]:
        """Their users, by name."""
        rows = self.select_related("user").order_by("user__name", "user__email")
        return [membership.user for membership in rows]

    def offered_to(self, user: User) -> Self:
        """Invitations that wait for this person's yes."""
        return self.not_removed().filter(user=user, accepted_at=None).select_related("organization")


class Membership(models.Model):
    """One person's place in one organization. A removed one is kept, so that its source limit stays known."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    limited_at = models.DateTimeField(
        "limited to sources since", null=True, blank=True, help_text="Empty: sees every source of the organization."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Null while an invited user who already has a login has not accepted.
    accepted_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], condition=models.Q(removed_at=None), name="membership_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.get_role_display()})"

    @property
    def is_offered(self) -> bool:
        return self.accepted_at is None

    @property
    def is_limited(self) -> bool:
        return self.limited_at is not None

    @property
    def is_current(self) -> bool:
        """True when it counts. Load it with its user."""
        return self.removed_at is None and not self.is_offered and self.user.is_active

    @cached_property
    def source_ids(self) -> frozenset[UUID]:
        """The sources that a limited member sees: those named, and the locations of named businesses."""
        named = self.source_accesses.values("source")
        sources = Source.objects.filter(models.Q(pk__in=named) | models.Q(parent__in=named))
        return frozenset(sources.values_list("pk", flat=True))

    def may(self, right: Right) -> bool:
        """True when the role has the right. What concerns the whole organization needs a membership without limit."""
        return self.role in ROLES_WITH[right] and not (right is Right.OWN and self.is_limited)


class SourceAccess(models.Model):
    """One source that a limited member may see; a business includes its locations."""

    id = models.BigAutoField(primary_key=True)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="source_accesses")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name_plural = "source accesses"
        constraints = [models.UniqueConstraint(fields=["membership", "source"], name="source_access_once")]
