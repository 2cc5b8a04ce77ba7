"""Bodies that come slowly, in chunks or without end: who is healthy is served, and nobody fills the disk."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from bench.slow import HALF_A_HEAD, SlowClients, half_a_body

pytestmark = pytest.mark.processes
FORM = {"Content-Type": "application/json"}


def send(
    place, path: str, body: bytes, *, method: str = "POST", chunked: bool = False, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", place.running.stack.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    chunks = iter([body[start : start + 100_000] for start in range(0, len(body), 100_000)])
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered already
        connection.request(method, path, chunks if chunked else body, named, encode_chunked=chunked)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize("kind", ["head", "body", "form", "answer"])
def test_who_is_healthy_is_served_beside_many_slow_clients(place, kind):
    """Forty of them; the demo has sixteen threads."""
    page = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    opening = {
        "head": HALF_A_HEAD,
        "body": half_a_body("/v1/leads"),
        "form": half_a_body(f"/forms/{place.source}"),
        "answer": page,
    }[kind]
    if kind == "answer":
        place.call("GET", "/v1/openapi.json")
    with SlowClients(place.running.stack.port, opening, 40, reads=kind == "answer"):
        time.sleep(0.5)
        for number in range(10):
            assert place.create_lead(f"{kind}{number}@example.net")[0] == 201
        assert place.form(name="Ava", email=f"{kind}@example.net", message="My tap leaks.")[0] in (200, 201)


def test_a_body_that_does_not_come_is_given_up(place):
    with socket.create_connection(("127.0.0.1", place.running.stack.port), timeout=20) as slow:
        slow.sendall(half_a_body("/v1/leads"))
        said = slow.recv(4096)
    assert b" 408 " in said.split(b"\r\n")[0]
    assert b'"code": "request.timeout"' in said or b"request.timeout" in said


def test_a_body_in_chunks_is_a_body(place):
    key = {"Authorization": f"Bearer {place.token}"}
    lead = {"first_name": "Ava", "request_title": "Tap", "identifier_type": "email", "email": "chunks@example.net"}
    status, body = send(place, "/v1/leads", json.dumps(lead).encode(), chunked=True, **FORM, **key)
    assert (status, json.loads(body)["created"]) == (201, True)
    words = {"name": "Bob", "email": "chunked@example.net", "message": "In chunks."}
    assert send(place, f"/forms/{place.source}", json.dumps(words).encode(), chunked=True, **FORM)[0] in (200, 201)
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    accept = {"Accept": "application/json, text/event-stream"}
    status, body = send(place, "/mcp", call, chunked=True, **FORM, **key, **accept)
    assert (status, json.loads(body)["id"]) == (200, 1)
    rows = json.dumps([{"first_name": "Cat", "email": "cat@example.net"}]).encode()
    status, body = send(place, "/v1/leads/import", rows, chunked=True, **FORM, **key)
    assert status == 202, body


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/leads",
        "/accounts/login/",
        "/leads/import/",
        "/v1/leads/import",
        "/forms/x",
        "/nowhere",
        f"/inbox/conv_{'0' * 26}/reply/",
        "/files/upload/x",
        "/files/download/x",
    ],
)
def test_a_stranger_takes_no_large_body_to_our_disk(place, path, chunked):
    status, body = send(place, path, b"x" * 3_000_000, chunked=chunked, Content_Type="multipart/form-data; boundary=x")
    assert status == 413
    assert b"1,100,000 bytes" in body


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_to_import_may_be_large(place, chunked):
    rows = b"\n".join(
        b'{"first_name": "Ava", "email": "a%d@example.net", "address": "%s"}' % (n, b"x" * 300) for n in range(5_000)
    )
    assert len(rows) > 1_100_000
    key = {"Authorization": f"Bearer {place.token}"}
    status, body = send(
        place, "/v1/leads/import?dry_run=true", rows, chunked=chunked, Content_Type="application/x-ndjson", **key
    )
    assert status == 202, body


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_to_send_may_be_large(place, chunked):
    content = b"%PDF-1.4\n" + b"x" * 5_000_000
    status, told = place.call("POST", "/v1/attachments", {"name": "a.pdf", "size": len(content)}, key=place.key)
    assert status == 201, told
    path = urlsplit(told["data"]["upload"]["url"]).path
    kind = {"Content_Type": "application/pdf"}
    assert send(place, path, content[:-1], method="PUT", chunked=chunked, **kind)[0] == 400
    assert send(place, path, content, method="PUT", chunked=chunked, **kind) == (204, b"")
    assert send(place, f"{path[:-1]}!", content, method="PUT", chunked=chunked, **kind)[0] == 413


def test_a_header_with_underscores_speaks_for_nobody(place):
    """A proxy of ours sets X-Forwarded-For; with an underscore it would be the same name to Django."""
    connection = http.client.HTTPConnection("127.0.0.1", place.running.stack.port, timeout=20)
    connection.request("GET", "/v1/whoami", headers={"X_Secret_Key": place.key})
    assert connection.getresponse().status == 401
