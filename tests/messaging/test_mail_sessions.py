"""The listener among many: silent sessions, slow ones, large mails and floods hold up nobody who sends."""

from __future__ import annotations

import smtplib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from messaging.email import listener, sessions
from messaging.models import InboundMail
from supervisor.ports import choose
from tests.support.mails import mail
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def door() -> Iterator[Any]:
    controller = listener.make_controller("127.0.0.1", choose())
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def opened(door):
    with ExitStack() as stack:

        def connect() -> socket.socket:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=10))
            assert client.recv(200).startswith(b"220")
            return client

        yield connect


def deliver(door, address: str, raw: bytes = b"") -> None:
    with smtplib.SMTP("127.0.0.1", door.port, timeout=10) as client:
        client.sendmail("ava@example.net", address, raw or mail())


def begin_a_mail(client: socket.socket, address: str) -> None:
    for line, code in (
        (b"HELO x", b"250"),
        (b"MAIL FROM:<a@x.example>", b"250"),
        (b"RCPT TO:<" + address.encode() + b">", b"250"),
        (b"DATA", b"354"),
    ):
        client.sendall(line + b"\r\n")
        assert client.recv(1000).startswith(code), line


def is_closed(client: socket.socket) -> bool:
    client.settimeout(5)
    said = client.recv(1000)
    return said.startswith(b"421") and client.recv(1) == b""


def test_who_says_nothing_makes_room_for_who_sends(door, opened, eastgate, address_of, monkeypatch):
    monkeypatch.setattr(sessions, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(sessions, "SESSIONS_OF_A_NETWORK_MAX", 20)
    silent = [opened() for _ in range(20)]
    time.sleep(0.3)
    deliver(door, address_of(eastgate).address)
    assert InboundMail.objects.count() == 1
    assert is_closed(silent[0]), "the one that was silent longest"
    silent[1].sendall(b"NOOP\r\n")
    assert silent[1].recv(100).startswith(b"250")


def test_who_comes_when_all_are_at_work_is_told_to_come_back(door, opened, monkeypatch):
    monkeypatch.setattr(sessions, "SESSIONS_OF_A_NETWORK_MAX", 2)
    opened(), opened()
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as late:
        assert late.recv(1000).startswith(b"421")
    assert len(door.sessions.open) == 2


def test_mails_that_stand_still_hold_no_memory_that_another_needs(door, opened, eastgate, address_of, monkeypatch):
    monkeypatch.setattr(sessions, "IN_FLIGHT_MAX", 1_000_000)
    monkeypatch.setattr(sessions, "SLOW_SECONDS", 0.3)
    address, line = address_of(eastgate).address, b"x" * 70 + b"\r\n"
    stalled = opened()
    begin_a_mail(stalled, address)
    stalled.sendall(b"Subject: slow\r\n\r\n" + line * 10_000)
    wait_for(lambda: sum(session.in_flight for session in door.sessions.open) > 700_000)
    time.sleep(0.4)
    deliver(door, address, mail("y" * 70 + "\n") + line * 8_000)
    assert InboundMail.objects.count() == 1
    assert is_closed(stalled)


def test_a_mail_that_finds_no_room_is_put_off_and_not_lost(door, opened, eastgate, address_of, monkeypatch):
    monkeypatch.setattr(sessions, "IN_FLIGHT_MAX", 100_000)
    with pytest.raises((smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, ConnectionError)):
        deliver(door, address_of(eastgate).address, mail() + b"x" * 70 * 10_000)
    monkeypatch.undo()
    deliver(door, address_of(eastgate).address)
    assert InboundMail.objects.count() == 1
    assert sum(session.in_flight for session in door.sessions.open) == 0


def test_a_flood_for_one_address_is_put_off_and_another_address_is_open(
    door, eastgate, westgate, address_of, monkeypatch
):
    monkeypatch.setattr(listener, "PER_CONNECTION", 3)
    for _ in range(3):
        deliver(door, address_of(eastgate).address)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        deliver(door, address_of(eastgate).address)
    assert refused.value.smtp_code == 451
    deliver(door, address_of(westgate).address)
    assert InboundMail.objects.count() == 4


def test_a_flood_from_one_network_is_put_off_unless_it_is_our_own_server(door, eastgate, address_of, monkeypatch):
    monkeypatch.setattr(listener, "PER_NETWORK", 2)
    for _ in range(3):
        deliver(door, address_of(eastgate).address)  # 127.0.0.1: a mail server beside us
    monkeypatch.setattr(listener, "is_our_own", lambda network: False)
    for _ in range(2):
        deliver(door, address_of(eastgate).address)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(door, address_of(eastgate).address)


@pytest.mark.parametrize(
    ("network", "expected"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("192.0.2.1", True), ("8.8.8.8", False), ("2a00:1450::/64", False)],
)
def test_whose_network_is_ours(network, expected):
    assert sessions.is_our_own(network) is expected


def test_long_lines_and_addresses_beyond_ascii_come_in(door, eastgate, address_of):
    with smtplib.SMTP("127.0.0.1", door.port, timeout=10) as client:
        client.ehlo()
        assert client.has_extn("smtputf8")
        raw = "From: Zoë <zoë@müller.example>\r\nSubject: x\r\n\r\n".encode() + b"y" * 20_000 + b"\r\n"
        client.sendmail("zoë@müller.example", address_of(eastgate).address, raw, mail_options=["SMTPUTF8"])
    inbound = InboundMail.objects.get()
    assert inbound.envelope_from == "zoë@müller.example"
    assert bytes(inbound.raw).count(b"y") == 20_000


def test_a_mistake_of_ours_costs_no_mail(door, eastgate, address_of, monkeypatch):
    def fails(**_):
        raise RuntimeError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(listener, "keep_all", fails)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            deliver(door, address_of(eastgate).address)
    assert refused.value.smtp_code == 451
    assert b"mistake" not in refused.value.smtp_error
