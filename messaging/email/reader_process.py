"""Read mails in a process of their own: whatever a stranger writes, the worker goes on after READ_SECONDS.

The bounds of `bounds.py` keep what is known to take long from the parsers; this is for what is not known.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import resource
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from messaging.email.reading import Mail, read, read_as_text
from understanding.bounces import Report

logger = logging.getLogger(__name__)

READ_SECONDS = 10.0
MEMORY_MAX = 1024**3  # bytes of address space
ROOT = Path(__file__).resolve().parents[2]
_LENGTH = struct.Struct(">I")  # before each mail, and before each answer


class Reader:
    """A child process that reads mails one by one. It is started when needed, and again after it was killed."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.started_in = 0
        self.lock = threading.Lock()

    def read(self, raw: bytes) -> Mail:
        """Read a mail. One that takes too long, or ends the child, is returned as text."""
        with self.lock:
            child = self._running()
            timer = threading.Timer(READ_SECONDS, child.kill)
            timer.start()
            try:
                _write(child.stdin, raw)
                return _mail_of(json.loads(_read(child.stdout)))
            except (OSError, EOFError, ValueError) as error:
                logger.warning("a mail of %d bytes could not be read in its time or memory: %r", len(raw), error)
                self.stop()
                return read_as_text(raw)
            finally:
                timer.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.child is None or self.started_in != os.getpid() or self.child.poll() is not None:
            command = [sys.executable, "-m", "messaging.email.reader_process"]
            self.child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.started_in = os.getpid()
        return self.child

    def stop(self) -> None:
        """End the child, if it is this process's own."""
        child, self.child = self.child, None
        if child and self.started_in == os.getpid():
            child.kill()
            child.communicate()


reader = Reader()
atexit.register(reader.stop)


def _mail_of(values: dict[str, Any]) -> Mail:
    report, dmarc = values.pop("report"), [(checker, result) for checker, result in values.pop("dmarc")]
    return Mail(**values, dmarc=dmarc, report=Report(*report) if report else None)


def _write(stream: Any, content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def _read(stream: Any) -> bytes:
    """Return the next content. Raise EOFError when the other side ended."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: Any, length: int) -> bytes:
    content: bytes = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def main() -> None:
    """Read mails from standard input until it ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    while True:
        try:
            raw = _read(sys.stdin.buffer)
        except EOFError:
            return
        _write(sys.stdout.buffer, json.dumps(asdict(read(raw))).encode())


if __name__ == "__main__":
    main()
