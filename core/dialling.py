"""Connections of ours to servers that somebody else named, for what speaks over a socket: mail."""

from __future__ import annotations

import ipaddress
import socket
import ssl

from core.http_client import look_up
from core.ssrf_guard import check


def dial(host: str, port: int, seconds: float) -> socket.socket:
    """Connect to a public address of the host, each tried for so many seconds.

    Raise AddressForbidden or another OSError. What is dialled is the address that was checked, and not the name.
    """
    failure: OSError = OSError(f"{host} has no address")
    for address in look_up(host):
        check(address)
        try:
            return socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            failure = error
    raise failure


def is_on_this_machine(connected: socket.socket) -> bool:
    """True when nobody in between can listen, so that the connection may go without TLS."""
    return ipaddress.ip_address(connected.getpeername()[0]).is_loopback


def tls() -> ssl.SSLContext:
    """Return the rules for TLS: the server's certificate is checked, with its name."""
    return ssl.create_default_context()
