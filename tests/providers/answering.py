"""What the servers that stand for providers have in common: they remember what they took, and answer in JSON."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from typing import Any

taken: list[dict[str, Any]] = []
following: list[Any] = []  # how the next messages are answered
lock = threading.Lock()


def next_answer() -> Any:
    """Return how the next message is answered; None: as usual."""
    with lock:
        return following.pop(0) if following else None


class Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with bytes as they are, or with anything else as JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: Any) -> None:
        pass


def serve(handler: type[Answering]) -> None:
    """Serve on the port that the command line names, until the process ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler)
    server.daemon_threads = True
    server.serve_forever()
