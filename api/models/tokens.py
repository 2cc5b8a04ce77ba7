"""Credentials. What we only verify is kept as a hash, what we must send is encrypted."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import Membership, Organization, User
from accounts.rights import Right
from core.ids import uuid7
from core.secrets import LAST_FOUR, PREFIX_SHOWN, digest


class HashedKey(models.Model):
    """A key that callers show us."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    digest = models.BinaryField(unique=True, editable=False)
    prefix = models.CharField(max_length=12, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    def take(self, key: str) -> Self:
        """Keep what may be kept of a new key."""
        self.digest, self.prefix, self.last_four = digest(key), key[:PREFIX_SHOWN], key[-LAST_FOUR:]
        return self


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def active(self) -> Self:
        return self.filter(revoked_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))

    def with_key(self, key: str) -> Self:
        """The token of a key: its current one, or the one before while that overlaps."""
        known = digest(key)
        return self.filter(
            models.Q(digest=known) | models.Q(previous_digest=known, previous_ends_at__gt=timezone.now())
        )

    def visible_to(self, viewer: User) -> Self:
        """Owners see all tokens of their organization, others those that they made."""
        mine = viewer.current_memberships
        own = [membership.organization_id for membership in mine if membership.may(Right.OWN)]
        return self.filter(
            models.Q(organization__in=own) | models.Q(creator__in=[membership.pk for membership in mine])
        )


class ApiToken(HashedKey):
    """A credential with scopes, for everything beyond one source's replies."""

    class Kind(models.TextChoices):
        STAFF = "staff", "Staff"
        APP = "app", "App"
        DIRECTORY = "directory", "Directory"

    class Scope(models.TextChoices):
        LEADS_READ = "leads:read", "Read leads"
        LEADS_WRITE = "leads:write", "Read and create leads"
        CONVERSATIONS_READ = "conversations:read", "Read conversations"
        CONVERSATIONS_WRITE = "conversations:write", "Read and answer conversations"
        REPLIES_READ = "replies:read", "Read replies"
        SOURCES_READ = "sources:read", "Read sources and their cards"
        SOURCES_WRITE = "sources:write", "Read and change sources and their cards"
        WEBHOOKS_READ = "webhooks:read", "Read webhooks and the feed of events"
        WEBHOOKS_WRITE = "webhooks:write", "Read and change webhooks"
        JOBS_READ = "jobs:read", "Follow background jobs"
        JOBS_WRITE = "jobs:write", "Follow and cancel background jobs"
        CHANNELS_READ = "channels:read", "Read channel connections"
        CHANNELS_WRITE = "channels:write", "Read and change channel connections"
        REPORTS_READ = "reports:read", "Read reports"

    # What the creator's role must include for a scope to count; the others need the right to read.
    RIGHTS = {
        Scope.LEADS_WRITE: Right.ANSWER,
        Scope.CONVERSATIONS_WRITE: Right.ANSWER,
        Scope.JOBS_WRITE: Right.ANSWER,
        Scope.CHANNELS_WRITE: Right.CONFIGURE,
        Scope.SOURCES_WRITE: Right.CONFIGURE,
        Scope.WEBHOOKS_READ: Right.CONFIGURE,
        Scope.WEBHOOKS_WRITE: Right.CONFIGURE,
    }
    PREFIXES = {Kind.STAFF: "lws_", Kind.APP: "lwa_", Kind.DIRECTORY: "lwd_"}

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.APP)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # A token sees the sources that its creator sees, checked on every use. It stops when the creator may no longer
    # create tokens.
    creator = models.ForeignKey(Membership, on_delete=models.PROTECT, null=True, blank=True, related_name="tokens")
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices))
    organizations = models.ManyToManyField(Organization, related_name="+", blank=True)  # of a directory token
    previous_digest = models.BinaryField(unique=True, null=True, editable=False)
    previous_last_four = models.CharField(max_length=4, blank=True, editable=False)
    previous_ends_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        indexes = [models.Index(fields=["organization", "-id"], name="token_newest")]

    @property
    def is_live(self) -> bool:
        return not self.stopped_because

    @property
    def is_orphaned(self) -> bool:
        """Its creator left, or may no longer make such tokens. Somebody else may take an app's token over."""
        if self.creator is None:
            return False
        is_own = self.kind == self.Kind.STAFF
        return not (self.creator.is_current and (is_own or self.creator.may(Right.CONFIGURE)))

    @property
    def scopes_in_force(self) -> frozenset[str]:
        """Its scopes, cut down to what its creator may do at this moment."""
        if self.creator is None:
            return frozenset(self.scopes)
        return frozenset(in_force for scope in self.scopes if (in_force := self._in_force(scope, self.creator)))

    def _in_force(self, scope: str, creator: Membership) -> str:
        """Return the scope if the creator has the right for it; for `write` without that right, the matching `read`."""
        reading = scope.replace(":write", ":read")
        for candidate in (scope, reading):
            if candidate in self.Scope.values and creator.may(self.RIGHTS.get(self.Scope(candidate), Right.READ)):
                return candidate
        return ""

    @property
    def overlaps_until(self) -> datetime | None:
        """Until when the key before the current one works too."""
        is_over = self.previous_ends_at is None or self.previous_ends_at <= timezone.now()
        return None if is_over else self.previous_ends_at

    @property
    def stopped_because(self) -> str:
        """Why callers with it get 401, in words; empty while it works."""
        if self.revoked_at is not None:
            return "Revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "Expired"
        if self.is_orphaned:
            return "Stopped: its creator left, or may no longer make tokens"
        return ""
