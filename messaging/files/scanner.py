"""A virus scanner that speaks clamd's protocol (INSTREAM): https://docs.clamav.net/manual/Usage/Scanning.html

The operator names it by LEADWIRE_SCANNER_URL, so its address is not a stranger's and may be private.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings

CONNECT_SECONDS, SCAN_SECONDS = 5.0, 60.0
CHUNK = 64 * 1024
ANSWER_MAX = 1_000  # bytes
_LENGTH = struct.Struct("!L")


class NotScanned(OSError):
    """The scanner did not say what a file is."""


class TooLarge(Exception):
    """The scanner takes smaller files only."""


def is_scanning() -> bool:
    """True when files have to be scanned before anybody opens them."""
    return bool(settings.LEADWIRE_SCANNER_URL)


def virus_in(content: bytes) -> str:
    """Return the name of the virus that the scanner finds in a file, "" for none. Raise NotScanned or TooLarge."""
    try:
        with _connect() as line:
            with suppress(ConnectionError):  # it hangs up on what is too long for it, and has said so
                line.sendall(b"zINSTREAM\0")
                for start in range(0, len(content), CHUNK):
                    chunk = content[start : start + CHUNK]
                    line.sendall(_LENGTH.pack(len(chunk)) + chunk)
                line.sendall(_LENGTH.pack(0))
            answer = _answer(line)
    except OSError as error:
        raise NotScanned(f"The virus scanner cannot be used: {error}") from error
    verdict = answer.partition(": ")[2]
    if verdict == "OK":
        return ""
    if verdict.endswith(" FOUND"):
        return verdict.removesuffix(" FOUND")[:200]
    if "size limit" in answer.lower():
        raise TooLarge("The virus scanner does not take files of this size, so nobody can open it.")
    raise NotScanned(f"The virus scanner answered: {answer[:200]}")


def _connect() -> socket.socket:
    place = urlsplit(settings.LEADWIRE_SCANNER_URL)
    if place.scheme == "unix":
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(SCAN_SECONDS)
        line.connect(place.path)
        return line
    line = socket.create_connection((place.hostname or "", place.port or 3310), CONNECT_SECONDS)
    line.settimeout(SCAN_SECONDS)
    return line


def _answer(line: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < ANSWER_MAX and (more := line.recv(ANSWER_MAX)):
        answer += more
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")
