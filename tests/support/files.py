"""Files that come and go with messages, a store of its own for each test, and the servers around it."""

from __future__ import annotations

import io
import socketserver
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
EICAR = b"a file with a virus"


@pytest.fixture
def file_store(tmp_path: Path, settings: Any) -> Path:
    """A folder in which the files of messages are kept."""
    folder = tmp_path / "attachments"
    options = {"location": str(folder), "allow_overwrite": True}
    backend = "messaging.files.folder.WholeFiles"
    settings.STORAGES = {**settings.STORAGES, "attachments": {"BACKEND": backend, "OPTIONS": options}}
    return folder


def kept_in(folder: Path) -> list[bytes]:
    """The contents of all files below a folder."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def photo(*, size: tuple[int, int] = (60, 40), text: str = "taken at home", kind: str = "JPEG") -> bytes:
    """A picture as a telephone makes it: it says where and by whom it was taken."""
    picture, out = Image.new("RGB", size, "red"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = text, 6  # a description; "turn it by a quarter"
    picture.save(out, kind, exif=exif)
    return out.getvalue()


def mail_with(*files: tuple[str, bytes], text: str = "See the pictures.", sender: str = "ava@example.net") -> bytes:
    """A mail with files. What it says of their types is wrong."""
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, "Leaking tap", "<files@example.net>"
    message.set_content(text)
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="x-unheard-of", filename=name)
    return message.as_bytes()


@dataclass
class Scanner:
    """A server that speaks clamd's INSTREAM, and finds EICAR."""

    scanned: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)


@pytest.fixture
def scanner(settings: Any) -> Iterator[Scanner]:
    seen = Scanner()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.read(10) == b"zINSTREAM\0"
            content = b""
            while length := struct.unpack("!L", self.rfile.read(4))[0]:
                content += self.rfile.read(length)
            seen.scanned.append(content)
            parts = [
                part.get_payload(decode=True) or b"" for part in message_from_bytes(content).walk()
            ]  # as clamd does
            is_bad = EICAR in content or any(isinstance(part, bytes) and EICAR in part for part in parts)
            verdict = b"stream: Eicar-Test FOUND\0" if is_bad else b"stream: OK\0"
            self.wfile.write(seen.answers.pop(0) if seen.answers else verdict)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.LEADWIRE_SCANNER_URL = f"tcp://127.0.0.1:{server.server_address[1]}"
        yield seen
        server.shutdown()
