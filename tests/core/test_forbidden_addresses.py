"""Nothing on our side connects to an address that is not public."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket

import aiohttp
import pytest

from core.resolving import GuardedResolver
from core.ssrf_guard import AddressForbidden, check, is_allowed, socket_factory, url_error
from supervisor.stack import ROOT
from webhooks.delivery.session import make_session

SSRF = ROOT.parent / "shared" / "data" / "dev" / "ssrf_urls.jsonl"

FORBIDDEN = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1", "fc00::1",
    "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "fe80::1%eth0", "2600::1%eth0",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_address_that_is_not_public_is_dialled(settings, address):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    assert not is_allowed(ipaddress.ip_address(address))
    with pytest.raises(AddressForbidden):
        check(address)
    with pytest.raises(AddressForbidden):
        socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_public_addresses_are_allowed(settings, address):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    check(address)


def ssrf_cases() -> list[dict]:
    if not SSRF.parent.exists():
        return []
    return [case for line in SSRF.read_text().splitlines() if (case := json.loads(line))["verdict"] == "block"]


def addresses_dialled(url: str) -> list[str]:
    """Post to a URL with the product's own session, and return what got past its guard; nothing is really dialled."""

    dialled: list[str] = []

    async def post() -> None:
        session = make_session(connections=1, seconds=5)
        guard = session.connector._socket_factory
        assert guard is socket_factory

        def watched(addr_info):
            guard(addr_info).close()
            dialled.append(addr_info[4][0])
            raise OSError("this test dials nothing")

        session.connector._socket_factory = watched
        async with session:
            with contextlib.suppress(aiohttp.ClientError, OSError, ValueError, TimeoutError):
                await session.post(url, data=b"")

    asyncio.run(post())
    return dialled


def test_what_is_allowed_does_get_past_the_guard(settings):
    """Else the next test could not fail."""

    settings.LEADWIRE_ALLOW_NETWORKS = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128")]
    assert addresses_dialled("http://127.0.0.1:9/") == ["127.0.0.1"]
    assert "127.0.0.1" in addresses_dialled("http://localhost:9/")


@pytest.mark.skipif(not SSRF.parent.exists(), reason="the shared cases (ssrf_urls.jsonl) are not beside this checkout")
@pytest.mark.parametrize("case", ssrf_cases(), ids=lambda case: case["id"])
def test_no_known_trick_gets_past_the_guard(settings, case):
    """Tried on the session itself, also where the form would have refused the URL. Only cases to be blocked."""
    settings.LEADWIRE_ALLOW_NETWORKS = []
    assert addresses_dialled(case["url"]) == []


URLS = {
    "http://crm.example.com/x": "must begin with https://",
    "ftp://crm.example.com": "begins with https://",
    "https://user:pass@crm.example.com": "user name and password",
    "https://127.0.0.1/": "not public",
    "https://[::1]/": "not public",
    "https://localhost/": "inside a network",
    "https://crm.internal/": "inside a network",
    "https://crm.example.com/a b": "characters",
    "http://[": "not a URL",
    "https:///x": "begins with https://",
}


@pytest.mark.parametrize(("url", "words"), URLS.items())
def test_a_webhook_url_is_refused_with_the_reason(settings, url, words):
    settings.LEADWIRE_ALLOW_NETWORKS, settings.LEADWIRE_ALLOW_HTTP_WEBHOOKS = [], False
    assert words in url_error(url)


def test_a_name_with_one_private_answer_is_refused(settings, monkeypatch):
    settings.LEADWIRE_ALLOW_NETWORKS = []

    async def two(*_):
        return [(socket.AF_INET, "93.184.215.14"), (socket.AF_INET, "10.0.0.1")]

    monkeypatch.setattr(GuardedResolver, "ask", two)
    with pytest.raises(AddressForbidden):
        asyncio.run(GuardedResolver().resolve("two-faced.example", 443))
