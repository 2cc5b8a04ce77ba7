"""The one rule of who sees what. Every page, list, count, search, API answer and live update asks here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models.expressions import Combinable
from django.http import Http404, HttpRequest

from accounts.middleware import memberships
from accounts.models import Right, User

if TYPE_CHECKING:
    from integrations.models import Source

M = TypeVar("M", bound=models.Model)


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


class Caller(Protocol):
    """Somebody with a key instead of a login."""

    @property
    def reach(self) -> Reach: ...


def reach_of(viewer: User | AnonymousUser | Caller, right: Right = Right.READ) -> Reach:
    """Return where `viewer` has `right`. For a person: two queries, once for each request."""
    if isinstance(viewer, AnonymousUser):
        return Reach()
    if not isinstance(viewer, User):
        return viewer.reach
    known: dict[Right, Reach] = viewer.__dict__.setdefault("_reach", {})
    if right not in known:
        mine = [one for one in memberships(viewer) if one.may(right)]
        limited = [one.pk for one in mine if one.is_limited]
        known[right] = Reach(
            frozenset(one.organization_id for one in mine if not one.is_limited),
            limited_sources(limited) if limited else frozenset(),
        )
    return known[right]


def limited_sources(membership_ids: list[UUID]) -> frozenset[UUID]:
    """Return the sources of limited members: those named, and the locations of named businesses."""
    from integrations.models import Source, SourceAccess

    named = SourceAccess.objects.filter(membership__in=membership_ids).values("source")
    return frozenset(
        Source.objects.filter(models.Q(pk__in=named) | models.Q(parent__in=named)).values_list("pk", flat=True)
    )


class ReachQuerySet(models.QuerySet[M]):
    """Rows that belong to an organization and a source."""

    organization_column: ClassVar[str] = "organization_id"
    source_column: ClassVar[str] = "source_id"

    def visible_to(self, viewer: User | AnonymousUser | Caller, right: Right = Right.READ) -> Self:
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
