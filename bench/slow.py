"""Slow clients: sockets that send half a head, half a body, or read their answer a byte a second."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

HALF_A_HEAD = b"POST /v1/leads HTTP/1.1\r\nHost: localhost\r\nX-More: "
LARGE_ANSWER = b"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def half_a_body(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{".encode()


class SlowClients:
    """So many sockets that begin with `opening` and then do next to nothing, for as long as the block lasts.

    A socket that the server hangs up on is opened again: an attacker does not give up.
    """

    def __init__(self, port: int, opening: bytes, count: int, *, reads: bool = False) -> None:
        self.port, self.opening, self.count, self.reads = port, opening, count, reads
        self.stopping = threading.Event()
        self.sockets: list[socket.socket] = []
        self.thread = threading.Thread(target=self._keep_up, daemon=True)

    def __enter__(self) -> SlowClients:
        self.sockets = [self._open() for _ in range(self.count)]
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.thread.join()
        for each in self.sockets:
            each.close()

    def _open(self) -> socket.socket:
        opened = socket.socket()
        if self.reads:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        opened.connect(("127.0.0.1", self.port))
        opened.sendall(self.opening)
        return opened

    def _keep_up(self) -> None:
        while not self.stopping.wait(1):
            for place, each in enumerate(self.sockets):
                each.setblocking(False)
                try:
                    is_open = each.recv(1) != b"" if self.reads else self._is_open(each)
                except BlockingIOError:
                    is_open = True
                except OSError:
                    is_open = False
                if not is_open:
                    each.close()
                    with contextlib.suppress(OSError):
                        self.sockets[place] = self._open()

    @staticmethod
    def _is_open(each: socket.socket) -> bool:
        return each.recv(1, socket.MSG_PEEK) not in (b"", b"H")  # an answer to what was not sent: it gave us up
