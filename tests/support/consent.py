"""A mailbox where one signs in: an authorization server, and mail servers that take its tokens (XOAUTH2)."""

from __future__ import annotations

import base64
import http.server
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from messaging.email.transports import hang_up_all
from supervisor.ports import choose
from tests.providers.consent import CLIENT_ID, CLIENT_SECRET, ConsentServer, handler
from tests.support.mailboxes import ADDRESS, PASSWORD, AccountServer

WORDS = re.compile(rb"user=(.+?)\x01auth=Bearer (.+?)\x01\x01")


@pytest.fixture
def consent_server() -> Iterator[ConsentServer]:
    seen = ConsentServer(ADDRESS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(seen))
    server.daemon_threads = True
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


def is_good(server: ConsentServer, words: str) -> bool:
    match = WORDS.fullmatch(base64.b64decode(words))
    return match is not None and (match[1].decode(), match[2].decode()) == (ADDRESS, server.access_tokens[-1])


@pytest.fixture
def token_imap(imap_server, consent_server) -> Iterator[int]:
    """The port of an IMAP server that takes tokens: before a real one that knows passwords only."""

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with (
                socket.create_connection(("127.0.0.1", imap_server.port)) as inner,
                inner.makefile("rb") as answers,  # left open, it keeps the socket open
            ):
                self.wfile.write(answers.readline())
                while line := self.rfile.readline():
                    tag, _, command = line.decode().strip().partition(" ")
                    if not command.upper().startswith("AUTHENTICATE XOAUTH2"):
                        inner.sendall(line)
                        while not (answer := answers.readline()).startswith(tag.encode()):
                            self.wfile.write(answer)
                        self.wfile.write(answer)
                        continue
                    self.wfile.write(b"+ \r\n")
                    if not is_good(consent_server, self.rfile.readline().decode()):
                        self.wfile.write(f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n".encode())
                        continue
                    return self._log_in(inner, answers, tag)

        def _log_in(self, inner: socket.socket, answers: Any, tag: str) -> None:
            plain = base64.b64encode(f"\0{ADDRESS}\0{PASSWORD}".encode())
            inner.sendall(f"{tag} AUTHENTICATE PLAIN\r\n".encode())
            answers.readline()
            inner.sendall(plain + b"\r\n")
            self.wfile.write(answers.readline())
            threading.Thread(target=self._pass_on, args=(inner,), daemon=True).start()
            while chunk := answers.read1(65_536):
                self.wfile.write(chunk)

        def _pass_on(self, inner: socket.socket) -> None:
            while chunk := self.connection.recv(65_536):
                inner.sendall(chunk)
            inner.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, allow_reuse_address = True, True

    with Server(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def token_smtp(consent_server) -> Iterator[AccountServer]:
    """A mail server that takes tokens."""

    class TokenServer(AccountServer):
        async def auth_XOAUTH2(self, server: Any, words: list[str]) -> AuthResult:
            return AuthResult(success=len(words) == 2 and is_good(consent_server, words[1]), handled=False)

    seen = TokenServer()
    controller = Controller(
        seen, hostname="127.0.0.1", port=choose(), auth_require_tls=False, auth_exclude_mechanism=["PLAIN", "LOGIN"]
    )
    controller.start()
    seen.port = controller.port
    yield seen
    hang_up_all()
    controller.stop()


@pytest.fixture
def google(settings, consent_server, token_imap, token_smtp) -> ConsentServer:
    """Google, as far as it is used, set up in this installation."""
    servers = {
        "smtp_host": "127.0.0.1", "smtp_port": str(token_smtp.port), "imap_host": "127.0.0.1", "imap_port": str(token_imap),
    }  # fmt: skip
    here = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "authorize_url": f"{consent_server.url}/authorize",
        "token_url": f"{consent_server.url}/token",
        "servers": servers,
    }
    mailboxes = settings.OAUTH_MAILBOXES
    settings.OAUTH_MAILBOXES = {**mailboxes, "google": {**mailboxes["google"], **here}}
    return consent_server
