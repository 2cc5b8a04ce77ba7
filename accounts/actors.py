"""Who does something, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from accounts.models import AuditEntry, Organization, User
from core.http import client_address


@dataclass(frozen=True)
class Actor:
    """Somebody, or something, that changes things."""

    name: str
    user: User | None = None
    address: str | None = None
    request_id: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Actor:
        """Return the logged-in person behind a page's request."""
        user = request.user
        assert isinstance(user, User)  # noqa: S101  pages that change things need a login
        return cls(str(user), user, client_address(request), getattr(request, "request_id", ""))

    def record(
        self,
        action: str,
        *,
        organization: Organization | UUID,
        target: object,
        source_id: UUID | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one line of the audit log, in the transaction of the change. The caller masks secrets."""
        AuditEntry.objects.create(
            organization_id=organization.pk if isinstance(organization, Organization) else organization,
            source_id=source_id,
            user=self.user,
            actor=self.name[:250],
            action=action,
            target=str(target)[:250],
            before=dict(before or {}),
            after=dict(after or {}),
            address=self.address,
            request_id=self.request_id,
        )


SYSTEM = Actor("Leadwire")
