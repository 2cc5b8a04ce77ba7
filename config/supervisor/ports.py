"""Loopback ports."""

import socket

LOOPBACK = "127.0.0.1"


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
    """Return `preferred` or the next free port after it; without one, any free port."""
    if preferred is not None:
        for port in range(preferred, min(preferred + 100, 65536)):
            if is_free(port):
                return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
