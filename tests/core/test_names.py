"""Names of receivers, at a name server of our own that is slow, silent, wrong or two-faced."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from core import resolving as names
from core.resolving import GuardedResolver, NotLookedUp
from core.ssrf_guard import AddressForbidden
from webhooks.delivery.outcomes import describe, is_ours
from webhooks.delivery.session import make_session

PUBLIC = "93.184.215.14"


@dataclass
class NameServer:
    """Answers A queries (RFC 1035, 4) from `addresses`; says NXDOMAIN to others, and to "silent..." nothing."""

    port: int = 0
    addresses: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, query: bytes) -> bytes | None:
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1 : place + 1 + query[place]].decode())
            place += query[place] + 1
        name, question = ".".join(labels).lower(), query[12 : place + 5]
        self.asked.append(name)
        if name.startswith("silent"):
            return None
        found = self.addresses.get(name, []) if question[-4:-2] == b"\0\1" else []
        code = b"\x81\x80" if name in self.addresses else b"\x81\x83"
        rows = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4" + socket.inet_aton(address) for address in found)
        return query[:2] + code + b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0" + question + rows


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sock = self.request
            if answer := server.answer(query):
                sock.sendto(answer, self.client_address)

    udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
    server.port = udp.server_address[1]
    threading.Thread(target=udp.serve_forever, daemon=True).start()
    yield server
    udp.shutdown()
    udp.server_close()


@pytest.fixture
def look_up(name_server):
    """Look names up at once; return the addresses of each, or the error, and after how many seconds."""

    def ask(*hosts: str, again: int = 1):
        async def one(resolver, host):
            began = time.monotonic()
            try:
                answers = [answer["host"] for answer in await resolver.resolve(host, 443)]
            except OSError as error:
                return error, time.monotonic() - began
            return answers, time.monotonic() - began

        async def run():
            resolver = GuardedResolver(nameservers=["127.0.0.1"], udp_port=name_server.port)
            for _ in range(again):
                addresses = await asyncio.gather(*(one(resolver, host) for host in hosts))
            await resolver.close()
            return addresses

        return asyncio.run(run())

    return ask


def test_a_name_leads_to_its_addresses(look_up, name_server):
    name_server.addresses["crm.example.com"] = [PUBLIC, "93.184.215.15"]
    [(addresses, _)] = look_up("crm.example.com")
    assert sorted(addresses) == [PUBLIC, "93.184.215.15"]


def test_a_name_with_one_private_address_is_refused(look_up, name_server, settings):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    name_server.addresses["crm.example.com"] = [PUBLIC, "10.0.0.1"]
    [(error, _)] = look_up("crm.example.com")
    assert isinstance(error, AddressForbidden)


def test_slow_names_hold_up_no_other(look_up, name_server, monkeypatch):
    monkeypatch.setattr(names, "RESOLVE_SECONDS", 1.0)
    name_server.addresses["crm.example.com"] = [PUBLIC]
    *slow, (addresses, seconds) = look_up(*(f"silent{number}.example" for number in range(100)), "crm.example.com")
    assert (addresses, seconds < 0.7) == ([PUBLIC], True)
    assert all(isinstance(error, NotLookedUp) for error, _ in slow)
    assert max(seconds for _, seconds in slow) < 3


def test_a_name_that_leads_nowhere_is_asked_for_once(look_up, name_server):
    [(error, _)] = look_up("nobody.example", again=3)
    assert isinstance(error, OSError)
    assert not isinstance(error, NotLookedUp)
    assert name_server.asked.count("nobody.example") == 1


def test_whose_fault_it_is_decides_whether_it_counts(name_server, monkeypatch):
    monkeypatch.setattr(names, "RESOLVE_SECONDS", 0.4)

    async def fetch(host):
        async with make_session(connections=1, seconds=5) as session:
            session.connector._resolver.options = {"nameservers": ["127.0.0.1"], "udp_port": name_server.port}
            async with session.post(f"https://{host}/hook"):
                pass

    for host, ours, words in (
        ("silent.example", True, "Our name server did not say"),
        ("nobody.example", False, "The name of the server was not found"),
    ):
        with pytest.raises(OSError) as failed:
            asyncio.run(fetch(host))
        assert is_ours(failed.value) is ours, host
        assert words in describe(failed.value)
