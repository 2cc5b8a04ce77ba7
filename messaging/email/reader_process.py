"""Read what strangers sent in a process of its own: whatever they wrote, the worker goes on after READ_SECONDS.

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
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from messaging.email.files import MailFile, files_in
from messaging.email.reading import Mail, read, read_as_text
from messaging.files.pictures import preview_of
from understanding.bounces import Report

logger = logging.getLogger(__name__)

READ_SECONDS = 10.0
MEMORY_MAX = 1024**3  # bytes of address space
ROOT = Path(__file__).resolve().parents[2]
_LENGTH = struct.Struct(">I")  # before each part, and before all of them how many


class NotRead(Exception):
    """Something took too long or too much memory, and the child that read it was ended."""


class Reader:
    """A child process that does one task after the other. It is started when needed, and again after it was killed."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.started_in = 0
        self.lock = threading.Lock()

    def read(self, raw: bytes) -> Mail:
        """Read a mail. One that takes too long, or ends the child, is returned as text."""
        try:
            return _mail_of(json.loads(self._ask("mail", raw)[0]))
        except NotRead:
            return read_as_text(raw)

    def list_files(self, raw: bytes) -> list[MailFile]:
        """Return what files a mail has. Raise NotRead."""
        return [MailFile(**values) for values in json.loads(self._ask("files", raw)[0])]

    def file_contents(self, raw: bytes) -> list[bytes]:
        """Return the bytes of all files of a mail. Raise NotRead."""
        return self._ask("contents", raw)

    def preview(self, content: bytes) -> bytes | None:
        """Return a picture as a page may show it; None for what is none, or cannot be drawn in its time and memory."""
        try:
            return self._ask("preview", content)[0] or None
        except NotRead:
            return None

    def _ask(self, task: str, content: bytes) -> list[bytes]:
        with self.lock:
            child = self._running()
            timer = threading.Timer(READ_SECONDS, child.kill)
            timer.start()
            try:
                _write(child.stdin, task.encode(), content)
                return _read(child.stdout)
            except (OSError, EOFError) as error:
                logger.warning("%d bytes could not be read in their time or memory: %r", len(content), error)
                self.stop()
                raise NotRead from error
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


reader, pictures = Reader(), Reader()  # nobody's picture keeps a mail waiting
atexit.register(reader.stop)
atexit.register(pictures.stop)


def _mail_of(values: dict[str, Any]) -> Mail:
    report, dmarc = values.pop("report"), [(checker, result) for checker, result in values.pop("dmarc")]
    return Mail(**values, dmarc=dmarc, report=Report(*report) if report else None)


def _write(stream: Any, *parts: bytes) -> None:
    stream.write(_LENGTH.pack(len(parts)))
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def _read(stream: Any) -> list[bytes]:
    """Return the next parts. Raise EOFError when the other side ended."""
    return [_exactly(stream, _number(stream)) for _ in range(_number(stream))]


def _number(stream: Any) -> int:
    number: int = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    return number


def _exactly(stream: Any, length: int) -> bytes:
    content: bytes = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


TASKS: dict[str, Callable[[bytes], list[bytes]]] = {
    "mail": lambda raw: [json.dumps(asdict(read(raw))).encode()],
    "files": lambda raw: [json.dumps([asdict(file) for file, _ in files_in(raw)]).encode()],
    "contents": lambda raw: [content for _, content in files_in(raw)],
    "preview": lambda content: [preview_of(content) or b""],
}


def main() -> None:
    """Do one task after the other, from standard input, until it ends. What fails ends the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    while True:
        try:
            task, content = _read(sys.stdin.buffer)
        except EOFError:
            return
        _write(sys.stdout.buffer, *TASKS[task.decode()](content))


if __name__ == "__main__":
    main()
