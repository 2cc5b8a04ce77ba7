"""The client session of a process that delivers: every limit on what a stranger's server may make us do."""

from __future__ import annotations

import itertools
from typing import Any

import aiohttp

from core.resolving import GuardedResolver
from core.ssrf_guard import socket_factory
from webhooks.delivery.timings import trace

INTERIM_MAX = 20  # answers of 1xx (RFC 9110, 15.2) before the final one


class TooManyInterim(aiohttp.ClientError):
    """A server that answers 103 for ever would keep the event loop, and with it everybody's deliveries."""


class Answer(aiohttp.ClientResponse):
    """An answer that knows whom it came from: one without a body has let its connection go before anybody can ask."""

    peer = ""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        name = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = f"{name[0]}:{name[1]}" if name else ""
        protocol, reads = connection.protocol, itertools.count()
        read = protocol.read

        async def read_some() -> Any:
            if next(reads) > INTERIM_MAX:
                raise TooManyInterim(f"more than {INTERIM_MAX} answers of 1xx")
            return await read()

        protocol.read = read_some
        try:
            return await super().start(connection)
        finally:
            protocol.read = read


def make_session(*, connections: int, seconds: float) -> aiohttp.ClientSession:
    """Return the one client session of a process: no redirects, no proxies, no cookies, everything bounded."""
    connector = aiohttp.TCPConnector(
        limit=connections,
        resolver=GuardedResolver(),
        socket_factory=socket_factory,
        use_dns_cache=True,
        ttl_dns_cache=10,
        happy_eyeballs_delay=None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        response_class=Answer,
        trace_configs=[trace()],
        # Else aiohttp rounds a deadline of more than five seconds up to a whole second of its clock.
        timeout=aiohttp.ClientTimeout(total=seconds, ceil_threshold=seconds + 1),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=["Accept-Encoding", "Accept", "User-Agent"],
        max_line_size=8190,
        max_field_size=8190,
        read_bufsize=16 * 1024,
    )
