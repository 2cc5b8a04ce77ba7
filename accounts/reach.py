"""The one rule of who sees what. Every page, list, count, search, API answer and live update asks here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol, Self, TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models.expressions import Combinable
from django.http import Http404, HttpRequest

from accounts.rights import Right

M = TypeVar("M", bound=models.Model)


class Source(Protocol):
    """What has to be known of a source."""

    pk: UUID
    organization_id: UUID


@dataclass(frozen=True)
class Reach:
    """What somebody gets at: whole organizations, and single sources."""

    organization_ids: frozenset[UUID] = field(default_factory=frozenset)
    source_ids: frozenset[UUID] = field(default_factory=frozenset)

    def where(self, *, organization: str, source: str) -> models.Q:
        """Return the condition on a table with these two columns."""
        either = models.Q(pk__in=[])
        if self.organization_ids:
            either |= models.Q(**{f"{organization}__in": self.organization_ids})
        if self.source_ids:
            either |= models.Q(**{f"{source}__in": self.source_ids})
        return either

    def includes(self, source: Source) -> bool:
        return source.organization_id in self.organization_ids or source.pk in self.source_ids


class Viewer(Protocol):
    """Somebody with a login, or a caller with a key."""

    def reach(self, right: Right = Right.READ) -> Reach:
        """Return where the viewer has the right."""


def reach_of(viewer: Viewer | AnonymousUser, right: Right = Right.READ) -> Reach:
    """Return where `viewer` has `right`: nowhere without a login."""
    return Reach() if isinstance(viewer, AnonymousUser) else viewer.reach(right)


class ReachQuerySet(models.QuerySet[M]):
    """Rows that belong to an organization and a source."""

    organization_column: ClassVar[str] = "organization_id"
    source_column: ClassVar[str] = "source_id"

    def visible_to(self, viewer: Viewer | AnonymousUser, right: Right = Right.READ) -> Self:
        """Only what `viewer` may see (or, with another right, act on)."""
        reach = reach_of(viewer, right)
        return self.filter(reach.where(organization=self.organization_column, source=self.source_column))


def load(rows: ReachQuerySet[M], request: HttpRequest, pk: UUID | Combinable, right: Right = Right.READ) -> M:
    """Return one row for a page: 404 when the person may not see it, 403 when they may see but not do this."""
    row = rows.visible_to(request.user).filter(pk=pk).first()
    if row is None:
        raise Http404
    if right is not Right.READ and not rows.visible_to(request.user, right).filter(pk=pk).exists():
        raise PermissionDenied(f"Your role does not include: {right.label.lower()}.")
    return row
