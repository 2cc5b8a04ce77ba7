"""What every request has: the client's address, and the network that it belongs to."""

from __future__ import annotations

import ipaddress
import logging
from functools import cache

from django.conf import settings
from django.http import HttpRequest

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


def network_of(address: str | None) -> str:
    """Whom an address belongs to: IPv6 gives each customer a /64 at least."""
    if not address:
        return ""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
