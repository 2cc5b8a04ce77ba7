"""Who does something, and from where."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from accounts.models import AuditEntry, Organization, User

logger = logging.getLogger(__name__)


def client_address(request: HttpRequest) -> str | None:
    """Return the caller's address; X-Forwarded-For counts only as far as our own proxies wrote it."""
    if not settings.TRUSTED_PROXIES and "X-Forwarded-For" in request.headers:
        _warn_of_a_proxy()
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= settings.TRUSTED_PROXIES:
            return parse_address(hops[-settings.TRUSTED_PROXIES])
    return parse_address(request.META.get("REMOTE_ADDR", ""))


@cache  # once in each process
def _warn_of_a_proxy() -> None:
    logger.warning(
        "Requests come with X-Forwarded-For and TRUSTED_PROXIES is 0. If a proxy of yours writes it, say how many there"
        " are: without, limits and logs take everybody for one caller."
    )


def parse_address(text: str) -> str | None:
    """Return an IP address as proxies write it, with or without a port and brackets; None for anything else."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


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
