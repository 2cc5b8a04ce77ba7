"""A caller's address is read only from our own proxies."""

from __future__ import annotations

import pytest

from core.http import client_address

ADDRESSES = {
    "203.0.113.9": "203.0.113.9",
    "203.0.113.9:4431": "203.0.113.9",
    "[2001:db8::1]:443": "2001:db8::1",
    "2001:db8::1": "2001:db8::1",
    "unknown": None,
    "": "127.0.0.1",
    "evil, 203.0.113.9": "203.0.113.9",
}


@pytest.mark.parametrize(("header", "address"), ADDRESSES.items())
def test_any_forwarded_address_is_read_or_dropped(rf, settings, header, address):
    settings.TRUSTED_PROXIES = 1
    assert client_address(rf.get("/", headers={"X-Forwarded-For": header})) == address


def test_a_forwarded_address_counts_only_from_our_own_proxies(rf, settings):
    settings.TRUSTED_PROXIES = 0
    assert client_address(rf.get("/", headers={"X-Forwarded-For": "203.0.113.9"})) == "127.0.0.1"
