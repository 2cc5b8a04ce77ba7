"""Where the names of receivers lead: looked up in the event loop, so that a slow name holds up nobody else's."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from typing import Any

import aiodns
from aiohttp.abc import AbstractResolver, ResolveResult

from core.ssrf_guard import check

RESOLVE_SECONDS = 3.0
FAILED_KEPT_SECONDS = 5.0  # for so long a name that led nowhere is not asked for again
FAILED_KEPT = 1_000  # names
# What a name server of ours says, or does not say. All else is about the name itself.
_OURS = {aiodns.error.ARES_ETIMEOUT, aiodns.error.ARES_ECONNREFUSED, aiodns.error.ARES_EREFUSED,
         aiodns.error.ARES_ENOMEM, aiodns.error.ARES_ECANCELLED}  # fmt: skip


class NotLookedUp(OSError):
    """Nobody could say where the name leads; perhaps it leads somewhere."""


class GuardedResolver(AbstractResolver):
    """Looks names up, with a deadline; one forbidden answer refuses the whole name."""

    def __init__(self, **options: Any) -> None:
        """`options` are c-ares' own, for tests."""
        self.options = options
        self.servers: aiodns.DNSResolver | None = None
        self.failed: OrderedDict[str, tuple[float, OSError]] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raise AddressForbidden, NotLookedUp, or OSError for a name that leads nowhere."""
        until, error = self.failed.get(host, (0.0, OSError()))
        if time.monotonic() < until:
            raise error.with_traceback(None)  # else it grows with each raise
        try:
            answers = await self.ask(host, family)
        except OSError as failed:
            self._remember(host, failed)
            raise
        for _, address in answers:
            check(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in answers
        ]

    async def ask(self, host: str, family: socket.AddressFamily) -> list[tuple[int, str]]:
        """Return the families and addresses of a name."""
        try:
            look_up = self._open().getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
            answer = await asyncio.wait_for(look_up, RESOLVE_SECONDS)
        except TimeoutError as error:
            raise NotLookedUp(None, f"looking up {host} took more than {RESOLVE_SECONDS:g} s") from error
        except aiodns.error.DNSError as error:
            code, reason = error.args[0], error.args[-1]
            raise (NotLookedUp if code in _OURS else OSError)(None, f"{host}: {reason}") from error
        return [(node.family, _text(node.addr[0])) for node in answer.nodes]

    async def texts(self, name: str) -> list[str]:
        """Return the TXT records of a name, [] where it has none. Raise NotLookedUp."""
        try:
            answer = await asyncio.wait_for(self._open().query_dns(name, "TXT"), RESOLVE_SECONDS)
        except TimeoutError as error:
            raise NotLookedUp(None, f"looking up {name} took more than {RESOLVE_SECONDS:g} s") from error
        except aiodns.error.DNSError as error:
            if error.args[0] in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA):
                return []
            raise NotLookedUp(None, f"{name}: {error.args[-1]}") from error
        return [_text(record.data.data) for record in answer.answer if hasattr(record.data, "data")]

    def _open(self) -> aiodns.DNSResolver:
        if self.servers is None:
            self.servers = aiodns.DNSResolver(tries=2, **{"timeout": RESOLVE_SECONDS / 2, **self.options})
        return self.servers

    def _remember(self, host: str, error: OSError) -> None:
        self.failed[host] = (time.monotonic() + FAILED_KEPT_SECONDS, error)
        self.failed.move_to_end(host)
        while len(self.failed) > FAILED_KEPT:
            self.failed.popitem(last=False)

    async def close(self) -> None:
        if self.servers is not None:
            await self.servers.close()


def _text(address: str | bytes) -> str:
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else address
