"""Server-side request forgery, measured where it counts: at a listener that nothing of ours may reach."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import ipaddress
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from core.resolving import GuardedResolver
from webhooks.delivery.session import make_session


@dataclass
class Endpoint:
    """Counts connections; speaks to nobody."""

    port: int = 0
    reached: list[str] = field(default_factory=list)


@pytest.fixture
def forbidden(settings) -> Iterator[Endpoint]:
    """On 127.0.0.1 and ::1, while only 127.0.0.2 is allowed."""
    settings.LEADWIRE_ALLOW_NETWORKS = [ipaddress.ip_network("127.0.0.2/32")]
    listener, sockets = Endpoint(), []
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError):  # a machine without IPv6
            listening = socket.socket(family, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, listener.port))
            listening.listen()
            listener.port = listening.getsockname()[1]
            sockets.append(listening)

    def watch(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = listening.accept()
                listener.reached.append(str(address))
                connection.close()

    for listening in sockets:
        threading.Thread(target=watch, args=(listening,), daemon=True).start()
    yield listener
    for listening in sockets:
        listening.close()


@pytest.fixture
def allowed() -> Iterator[tuple[int, list[str]]]:
    """A receiver on 127.0.0.2 that answers with a redirect; yields its port and where it redirects to."""
    where: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(307)
            self.send_header("Location", where[0])
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], where
    server.shutdown()
    server.server_close()


def post(*urls: str) -> list[int]:
    """Post with the product's own session; return what was answered."""

    async def run() -> list[int]:
        statuses = []
        for url in urls:
            async with make_session(connections=1, seconds=3) as session:
                with contextlib.suppress(aiohttp.ClientError, OSError, ValueError, TimeoutError):
                    async with session.post(url, data=b"{}", allow_redirects=False) as answer:
                        statuses.append(answer.status)
        return statuses

    return asyncio.run(run())


SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001",
    "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::1%25lo]", "[::1%lo]", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1.",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_address_reaches_it(forbidden, host):
    post(f"http://{host}:{forbidden.port}/hook", f"https://{host}:{forbidden.port}/hook")
    assert forbidden.reached == []


def test_the_listener_would_see_who_comes(forbidden, settings):
    """Else the tests here could not fail."""
    settings.LEADWIRE_ALLOW_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    post(f"http://127.0.0.1:{forbidden.port}/hook")
    assert len(forbidden.reached) == 1


def resolve_to(monkeypatch, *answers: list[str]) -> list[int]:
    """Let each look-up of a name have the next answer, the last one for ever. Returns a count of look-ups."""
    asked = [0]

    async def look_up(resolver, host, family):
        assert host == "crm.example.com"
        answer = answers[min(asked[0], len(answers) - 1)]
        asked[0] += 1
        return [(socket.AF_INET, address) for address in answer]

    monkeypatch.setattr(GuardedResolver, "ask", look_up)
    return asked


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_a_name_with_any_private_answer_reaches_nobody(forbidden, monkeypatch, answer):
    asked = resolve_to(monkeypatch, answer)
    assert post(f"http://crm.example.com:{forbidden.port}/hook") == []
    assert asked[0] >= 1
    assert forbidden.reached == []


def test_a_name_that_changes_between_look_ups_is_looked_at_each_time(forbidden, allowed, monkeypatch):
    port, where = allowed
    where.append("/elsewhere")
    asked = resolve_to(monkeypatch, ["127.0.0.2"], ["127.0.0.1"])
    assert post(f"http://crm.example.com:{port}/", f"http://crm.example.com:{forbidden.port}/") == [307]
    assert asked[0] == 2
    assert forbidden.reached == []


def test_a_redirect_into_the_network_is_not_followed(forbidden, allowed):
    port, where = allowed
    where.append(f"http://127.0.0.1:{forbidden.port}/secret")
    assert post(f"http://127.0.0.2:{port}/hook") == [307]
    assert forbidden.reached == []


def test_proxy_variables_are_not_followed(forbidden, allowed, monkeypatch):
    port, where = allowed
    where.append("/elsewhere")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{forbidden.port}")
    assert post(f"http://127.0.0.2:{port}/hook") == [307]
    assert forbidden.reached == []
