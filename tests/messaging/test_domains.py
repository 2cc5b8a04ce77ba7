"""SPF, DKIM and DMARC of a sender's domain, at a name server of our own."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator

import pytest
from django.conf import settings

from core import http_client
from core.resolving import GuardedResolver
from messaging.email.domains import check_domain

DOMAIN = "northside.example"


class TextServer(socketserver.ThreadingUDPServer):
    """Answers TXT queries (RFC 1035, 3.3.14) from `texts`; says NXDOMAIN to others, and to "silent..." nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.texts: dict[str, list[str]] = {}


class _Answer(socketserver.BaseRequestHandler):
    server: TextServer

    def handle(self) -> None:
        query, sock = self.request
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1 : place + 1 + query[place]].decode())
            place += query[place] + 1
        name, question = ".".join(labels).lower(), query[12 : place + 5]
        if name.endswith("silent.example"):
            return
        texts = self.server.texts.get(name)
        code = b"\x81\x83" if texts is None else b"\x81\x80"
        rows = b"".join(_row(text.encode()) for text in texts or [])
        sock.sendto(
            query[:2] + code + b"\0\1" + len(texts or []).to_bytes(2, "big") + b"\0\0\0\0" + question + rows,
            self.client_address,
        )


def _row(text: bytes) -> bytes:
    parts = [text[start : start + 200] for start in range(0, len(text), 200)]
    data = b"".join(bytes([len(part)]) + part for part in parts)
    return b"\xc0\x0c\0\x10\0\1\0\0\0\x05" + struct.pack(">H", len(data)) + data


@pytest.fixture
def texts(monkeypatch) -> Iterator[dict[str, list[str]]]:
    server = TextServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    resolver = GuardedResolver(nameservers=["127.0.0.1"], udp_port=server.server_address[1])
    monkeypatch.setattr(http_client._client(), "resolver", resolver)
    yield server.texts
    server.shutdown()
    server.server_close()


def marks(**more: str) -> list[str]:
    return [finding.mark for finding in check_domain(DOMAIN, **more)]


def test_nothing_is_there_and_the_records_to_add_are_shown(texts):
    spf, dkim, dmarc = check_domain(DOMAIN, server="smtp.gmail.com")
    assert spf.record == (DOMAIN, "v=spf1 include:_spf.google.com ~all")
    assert dmarc.record == (f"_dmarc.{DOMAIN}", f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}")
    assert [finding.mark for finding in (spf, dkim, dmarc)] == ["warn", "warn", "warn"]


def test_all_three_are_there(texts):
    texts[DOMAIN] = ["google-site-verification=1", "v=spf1 include:_spf.google.com ~all"]
    texts[f"google._domainkey.{DOMAIN}"] = ["v=DKIM1; k=rsa; p=" + "A" * 390]
    texts[f"_dmarc.{DOMAIN}"] = ["v=DMARC1; p=reject"]
    assert marks(server="smtp.gmail.com") == ["ok", "ok", "ok"]
    assert marks(server="smtp.office365.com")[0] == "warn"


@pytest.mark.parametrize(
    ("name", "records", "place", "mark"),
    [
        (DOMAIN, ["v=spf1 mx ~all", "v=spf1 -all"], 0, "bad"),
        (DOMAIN, ["v=spf1 +all"], 0, "bad"),
        (DOMAIN, ["v=spf1 all"], 0, "bad"),
        (DOMAIN, ["V=SPF1 mx -ALL"], 0, "ok"),
        (DOMAIN, ["v=spf10 mx"], 0, "warn"),
        (f"s1._domainkey.{DOMAIN}", ["v=DKIM1; p="], 1, "bad"),
        (f"s1._domainkey.{DOMAIN}", ["p=AAAA"], 1, "ok"),
        (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=none", "v=DMARC1; p=none"], 2, "bad"),
        (f"_dmarc.{DOMAIN}", ["v=DMARC1; rua=mailto:a@b.c"], 2, "bad"),
        (f"_dmarc.{DOMAIN}", ["v=DMARC1; sp=reject; p=none"], 2, "ok"),
    ],
)
def test_each_record_is_judged(texts, name, records, place, mark):
    texts[name] = records
    assert marks()[place] == mark


def test_the_domain_above_has_the_policy(texts):
    texts["_dmarc.northside.example"] = ["v=DMARC1; p=quarantine"]
    assert check_domain("mail.northside.example")[2].mark == "ok"


def test_a_selector_of_ones_own_is_asked_for_alone(texts):
    texts[f"xyz._domainkey.{DOMAIN}"] = ["p=AAAA"]
    assert marks()[1] == "warn"
    assert marks(selector="xyz")[1] == "ok"


def test_a_domain_beyond_ascii_is_asked_for_as_dns_has_it(texts):
    texts["xn--mller-kva.example"] = ["v=spf1 mx ~all"]
    assert check_domain("Müller.example")[0].mark == "ok"


def test_name_servers_that_say_nothing_are_no_verdict(texts):
    assert [finding.mark for finding in check_domain("silent.example")] == ["off", "off", "off"]


@pytest.mark.django_db
def test_the_page_shows_what_to_add(dana_client, mailbox, texts):
    page = f"/settings/channels/{mailbox.pk}/"
    assert f"{page}domain/" in dana_client.get(page).text
    answer = dana_client.get(f"{page}domain/").text
    assert "v=spf1 mx ~all" in answer
    assert "p=none; rua=mailto:postmaster@northside.example" in answer
    assert "This is not a selector." in dana_client.get(f"{page}domain/?selector=a%20b").text
    texts[f"xyz._domainkey.{DOMAIN}"] = ["p=AAAA<b>"]
    shown = dana_client.get(f"{page}domain/?selector=xyz").text
    assert "p=AAAA&lt;b&gt;" in shown


@pytest.mark.django_db
def test_a_phone_number_has_no_domain(dana_client, sms):
    assert dana_client.get(f"/settings/channels/{sms.pk}/domain/").status_code == 404


@pytest.mark.django_db
def test_the_domain_of_the_installation_is_checked_at_the_sources_own_address(dana_client, plumbing, address_of, texts):
    page = f"/settings/channels/{address_of(plumbing).pk}/domain/"
    assert page in dana_client.get(f"/sources/{plumbing.public_id}/messaging/channels/").text
    answer = dana_client.get(page)
    assert f"Domain {settings.MAIL_DOMAIN}" in answer.text
    assert answer.status_code == 200
