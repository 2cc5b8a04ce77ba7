"""How much of a mail is read. Strangers write mails, and Python's parsers take quadratic time on some.

Words come before attachments, so what is cut off is hardly ever words; the whole mail is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32
from itertools import islice

PIECE = 64 * 1024  # bytes
READ_MAX = 1_000_000  # bytes of one mail
LINES_MAX = 20_000  # an attachment of 1 MB in base64 has 13,500
PARTS_MAX = 200
NESTED_MAX = 50  # parts that have parts
HEADER_MAX = 16_384  # characters of one header
PARAMETERS_MAX = 30  # of one Content-* header; each is looked for among all others
PARAMETERS_LENGTH_MAX = 1_000  # characters

_LEVELS = ((re.compile(rb"boundary[*\d]*[ \t]*=|message/", re.IGNORECASE), NESTED_MAX),)
_BOUNDS = ((re.compile(rb"\r\n|\r|\n"), LINES_MAX), (re.compile(rb"[\r\n]--"), PARTS_MAX), *_LEVELS)


def bounded(raw: bytes) -> bytes:
    """Return the beginning of a mail that can be read in well under a second."""
    return _cut(raw[:READ_MAX], _BOUNDS)


def with_few_levels(raw: bytes) -> bytes:
    """Return a mail with all its files, as far as its parts are not nested deeper than anybody sends them."""
    return _cut(raw, _LEVELS)


def _cut(raw: bytes, bounds: Iterable[tuple[re.Pattern[bytes], int]]) -> bytes:
    ends = (islice(_starts(pattern, raw), most, most + 1) for pattern, most in bounds)
    return raw[: min((end for some in ends for end in some), default=len(raw))]


def with_line_feeds(raw: bytes) -> bytes:
    """Return a mail with line ends of one kind: they come as CRLF, and out of files as LF or CR."""
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _starts(pattern: re.Pattern[bytes], raw: bytes) -> Iterator[int]:
    return (match.start() for match in pattern.finditer(raw))


def parsed(raw: bytes) -> Message:
    """Return a mail, parsed piece by piece: in one go it would be copied with four bytes for each character."""
    parser = BytesFeedParser(policy=BoundedHeaders())
    for start in range(0, len(raw), PIECE):
        parser.feed(raw[start : start + PIECE])
    return parser.close()


class BoundedHeaders(Compat32):
    """Python's own policy, with headers cut before anything looks into them, in the mail's head and in each part's."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        value = str(value)[:HEADER_MAX]
        if name.lower().startswith("content-"):
            value = ";".join(value[:PARAMETERS_LENGTH_MAX].split(";")[: PARAMETERS_MAX + 1])
        return name, value
