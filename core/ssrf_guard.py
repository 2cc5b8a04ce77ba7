"""Which addresses we connect to: only public ones, checked on the address that the socket really dials.

A check of the name alone is worthless: it may have another address a moment later. So the resolver refuses a name with
any forbidden answer, and the socket factory looks again at what is dialled.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What IANA's special-purpose registries hold in addition to what `is_global` knows. IPv6 is an allow-list, because its
# transition forms (mapped, compatible, NAT64, 6to4, Teredo, SIIT) all carry an IPv4 address that may be private.
FORBIDDEN_V4 = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
GLOBAL_V6 = ipaddress.ip_network("2000::/3")
FORBIDDEN_V6 = [
    ipaddress.ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]


class AddressForbidden(OSError):
    """The address is not one that we connect to."""


def is_allowed(address: Address) -> bool:
    """True for public addresses, and for those in LEADWIRE_ALLOW_NETWORKS."""
    if any(address.version == network.version and address in network for network in settings.LEADWIRE_ALLOW_NETWORKS):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in FORBIDDEN_V4)
    return address.scope_id is None and address in GLOBAL_V6 and not any(address in network for network in FORBIDDEN_V6)


def check(text: str) -> None:
    """Raise AddressForbidden unless `text`, an address as the socket layer writes it, may be dialled."""
    if not is_allowed(ipaddress.ip_address(text)):
        raise AddressForbidden(f"{text} is not a public address")


def socket_factory(addr_info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one address, after the last look at it."""
    family, kind, protocol, _, sockaddr = addr_info
    check(sockaddr[0])
    return socket.socket(family=family, type=kind, proto=protocol)


def _address_of(host: str) -> Address:
    """Read an address in any spelling that sockets take: "127.1", "0x7f000001". Raise ValueError for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if not host or not all(part[:1].isdigit() for part in host.split(".")):
            raise
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))  # inet_aton(3)
        except OSError as error:
            raise ValueError(host) from error


def same_server(one: str, other: str) -> bool:
    """True when two URLs lead to the same server: what was given to one may be sent to the other."""
    first, second = ((url.scheme, (url.host or "").lower(), url.port) for url in (URL(one), URL(other)))
    return first == second


def url_error(url: str) -> str:
    """Return what is wrong with a webhook URL as a person reads it, or "" when it may be saved.

    Names are not looked up here: what they resolve to is checked when they are dialled.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  it raises for what is no port
        # As the client reads it: "127.1", full-width digits and a dot at the end are other spellings of what they mean.
        host = (URL(url).host or "").rstrip(".").lower() if parts.hostname else ""
    except ValueError:
        return "This is not a URL."
    if parts.scheme not in ("https", "http") or not host:
        return "Give a URL that begins with https://."
    if parts.scheme == "http" and not settings.LEADWIRE_ALLOW_HTTP_WEBHOOKS:
        return "The URL must begin with https://, so that leads do not travel in the clear."
    if parts.username or parts.password:
        return "Leave user name and password out of the URL; the secret key and the signature prove who sends."
    if not url.isprintable() or " " in url:
        return "The URL has characters that URLs cannot have."
    try:
        address = _address_of(host)
    except ValueError:
        is_local = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
        return "" if not is_local or settings.LEADWIRE_ALLOW_NETWORKS else "This name is only known inside a network."
    return "" if is_allowed(address) else "This address is not public, so webhooks cannot go there."


def shown_url(url: str) -> str:
    """Of a URL only the host, and a mark that tells two apart: paths may hold tokens."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/… (#{hashlib.sha256(url.encode()).hexdigest()[:6]})"
