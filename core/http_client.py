"""HTTP calls of ours to providers: from any thread, guarded, bounded, on connections that are kept.

aiohttp has the guard (an own resolver, and a check of the address that is dialled), so a thread of its own runs its
event loop, and the callers wait for it. No redirects, no proxies, no cookies.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from django.utils import timezone
from multidict import CIMultiDict

from core.resolving import GuardedResolver
from core.ssrf_guard import socket_factory

CONNECT_SECONDS = 5.0
# Providers close connections that nobody uses. A request on such a connection is lost without a word, and nobody knows
# whether it was heard, so ours are closed first.
IDLE_SECONDS = 4.0
CLOSE_SECONDS = 2.0
CONNECTIONS = 100
ANSWER_MAX = 256 * 1024  # bytes


class NotConnected(OSError):
    """The request did not go out, so it may be tried again."""


class NotAnswered(OSError):
    """The request went out and no whole answer came: nobody knows what the server did."""


@dataclass(frozen=True)
class Answer:
    """What a server answered, whatever its status."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=CIMultiDict)

    @property
    def json(self) -> dict[str, Any]:
        """The object of the body; empty when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, as Retry-After says in seconds or as a date (RFC 9110, 10.2.3); None where it does not."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            return max(0.0, (parsedate_to_datetime(text) - timezone.now()).total_seconds())
        except (ValueError, TypeError):
            return None


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 20.0,
    answer_max: int = ANSWER_MAX,
) -> Answer:
    """Make one call and return the answer. Raise NotConnected or NotAnswered."""
    return _client().call(method, url, headers=headers or {}, body=body, seconds=seconds, answer_max=answer_max)


def look_up(host: str) -> list[str]:
    """Return the addresses of a name. Raise AddressForbidden if one of them is not public, OSError if it has none."""
    return _client().look_up(host)


def look_up_texts(names: Iterable[str]) -> dict[str, list[str] | None]:
    """Return the TXT records of names, asked for at once; None for a name that nobody could look up in time."""
    return _client().look_up_texts(list(names))


class _Client:
    """The event loop of this process, in a thread of its own, with its one session."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.session: aiohttp.ClientSession | None = None
        self.resolver = GuardedResolver()
        threading.Thread(target=self.loop.run_forever, name="http", daemon=True).start()
        atexit.register(self.close)

    def close(self) -> None:
        """Hang up, where this process is the one that opened the connections."""
        if self.session and self.pid == os.getpid():
            asyncio.run_coroutine_threadsafe(self.session.close(), self.loop).result(CLOSE_SECONDS)

    def call(self, *words: Any, **more: Any) -> Answer:
        return asyncio.run_coroutine_threadsafe(self._call(*words, **more), self.loop).result()

    def look_up(self, host: str) -> list[str]:
        looking = self.resolver.resolve(host, family=socket.AF_UNSPEC)
        return [answer["host"] for answer in asyncio.run_coroutine_threadsafe(looking, self.loop).result()]

    def look_up_texts(self, names: list[str]) -> dict[str, list[str] | None]:
        async def ask(name: str) -> list[str] | None:
            try:
                return await self.resolver.texts(name)
            except OSError:
                return None

        async def ask_all() -> dict[str, list[str] | None]:
            return dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))

        return asyncio.run_coroutine_threadsafe(ask_all(), self.loop).result()

    async def _call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float, answer_max: int
    ) -> Answer:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(CONNECT_SECONDS, seconds))
        request: dict[str, Any] = {"headers": headers, "data": body, "timeout": timeout, "allow_redirects": False}
        try:
            async with self._open().request(method, url, **request) as answer:
                content = await answer.content.read(answer_max + 1)
                while len(content) <= answer_max and (more := await answer.content.read(answer_max + 1)):
                    content += more
                if len(content) > answer_max:
                    raise NotAnswered(f"The answer is longer than {answer_max:,} bytes.")
                return Answer(answer.status, content, CIMultiDict(answer.headers))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotConnected(str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, NotAnswered):
                raise
            raise NotAnswered(str(error) or "There was no answer in time.") from error

    def _open(self) -> aiohttp.ClientSession:
        if self.session is None:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS,
                resolver=self.resolver,
                socket_factory=socket_factory,
                keepalive_timeout=IDLE_SECONDS,
                happy_eyeballs_delay=None,
            )
            jar = aiohttp.DummyCookieJar()
            self.session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False)
        return self.session


_lock = threading.Lock()
_current: _Client | None = None


def _client() -> _Client:
    """The client of this process: a worker's processes are forked, and a thread does not come along."""
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = _Client()
        return _current
