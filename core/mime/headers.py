"""The headers of a mail, as text."""

from __future__ import annotations

from email.errors import MessageError
from email.header import decode_header
from email.message import Message

from core.mime.text import clean, decode

DECODED_MAX, SHOWN_MAX = 4_096, 2_000  # characters of one header


class Headers:
    """The headers of one part; of those that come twice the first."""

    def __init__(self, part: Message) -> None:
        self._values: dict[str, str] = {}
        for name, value in part.raw_items():
            self._values.setdefault(name.lower(), str(value))

    def source(self, name: str) -> str:
        """Return a header as it is written; "" when there is none.

        Bytes beyond ASCII are UTF-8 (RFC 6532), in older mails Windows' Latin 1.
        """
        raw = self._values.get(name.lower(), "").encode("ascii", "surrogateescape")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        return text[:DECODED_MAX]

    def text(self, name: str) -> str:
        """Return a header on one line, its encoded words (RFC 2047) decoded; "" when there is none."""
        return " ".join(decode_words(self.source(name)).split())[:SHOWN_MAX]


def decode_words(source: str) -> str:
    """Decode encoded words. What is broken stays as it is written."""
    try:
        pieces = decode_header(source)
    except (MessageError, ValueError):
        return clean(source)
    return clean("".join(_piece(*piece) for piece in pieces))


def _piece(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    # What stands between encoded words is handed over as these bytes.
    return decode(piece, charset) if charset else piece.decode("raw_unicode_escape", "replace")
