"""Organizations, people, what each may do, and who changed what."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from core.ids import uuid7


class Organization(models.Model):
    """The tenant. Nothing of one organization is ever visible from another."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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


class MembershipQuerySet(models.QuerySet["Membership"]):
    def lasting(self) -> Self:
        """Not removed; perhaps not yet accepted."""
        return self.filter(removed_at=None)

    def current(self) -> Self:
        """Those that count: accepted, not removed, of somebody who may log in."""
        return self.lasting().exclude(accepted_at=None).filter(user__is_active=True)

    def offered_to(self, user: User) -> Self:
        """Invitations that wait for this person's yes."""
        return self.lasting().filter(user=user, accepted_at=None).select_related("organization")

    def of(self, user: User) -> Self:
        return self.current().filter(user=user).select_related("organization").order_by("created_at")


class Membership(models.Model):
    """One person's place in one organization. A removed one is kept, so that its source limit stays known."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MANAGER = "manager", "Manager"
        AGENT = "agent", "Agent"
        VIEWER = "viewer", "Viewer"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    limited_at = models.DateTimeField(
        "limited to sources since", null=True, blank=True, help_text="Empty: sees every source of the organization."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Empty: somebody who has a login already was invited, and has not said yes.
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

    def may(self, right: Right) -> bool:
        """True when the role has the right. What concerns the whole organization needs a membership without limit."""
        return self.role in ROLES_WITH[right] and not (right is Right.OWN and self.is_limited)


class Right(models.TextChoices):
    """The rows of the table "Who may do what"."""

    READ = "read", "Read conversations"
    ANSWER = "answer", "Answer, close, assign, correct"
    CONFIGURE = "configure", "Sources, cards, channels, and tokens within their own sources"
    OWN = "own", "Members, organization, and tokens without a source limit"


ROLES_WITH: dict[Right, frozenset[str]] = {
    Right.READ: frozenset(Membership.Role.values),
    Right.ANSWER: frozenset({Membership.Role.OWNER, Membership.Role.MANAGER, Membership.Role.AGENT}),
    Right.CONFIGURE: frozenset({Membership.Role.OWNER, Membership.Role.MANAGER}),
    Right.OWN: frozenset({Membership.Role.OWNER}),
}


class AuditEntry(models.Model):
    """One change: who, when, from where, and before and after with secrets masked. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="audit_entries")
    source_id = models.UUIDField(null=True, blank=True)  # plain: the layer of sources is above this one
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    actor = models.CharField(max_length=250)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=250)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_newest"),
            models.Index(fields=["source_id", "-id"], name="audit_of_source"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}"
