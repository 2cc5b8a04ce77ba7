"""Loopback ports."""

from __future__ import annotations

import socket
import sys

LOOPBACK = "127.0.0.1"

_reserved: set[int] = set()  # what this process gave out, for as long as it lives


def is_free(port: int) -> bool:
    """True when this process could listen on the port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose(preferred: int | None = None) -> int:
    """Return `preferred` or the next free port after it; without one, any free port.

    Nobody else gets it from here, in this process or in another copy of the product: between this look and the moment
    in which its server listens lie seconds.
    """
    if preferred is not None:
        for port in range(preferred, min(preferred + 100, 65536)):
            if is_free(port) and _reserve(port):
                return port
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if _reserve(port):
            return port


def _reserve(port: int) -> bool:
    """Take a port for this process. False when it is taken.

    By the name of a socket that has no file (unix(7), "abstract"): the kernel gives it to one process and takes it back
    when that ends, however it ends.
    """
    if port in _reserved:
        return False
    if sys.platform == "linux":
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0leadwire-port-{port}")
        except OSError:
            name.close()
            return False
        name.detach()  # it stays open to the end of this process
    _reserved.add(port)
    return True
