"""What a file is: by its bytes, never by what its sender says."""

from __future__ import annotations

import re
import unicodedata

import puremagic
from django.utils.http import content_disposition_header

UNKNOWN, ARCHIVE = "application/octet-stream", "application/zip"
LOOKED_AT = 4_096  # bytes of what may be text
CONFIDENT = 0.3  # of puremagic: below it a few bytes agree by chance
NAME_LENGTH = 200
CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]{1,60}/[\w!#$&^.+-]{1,39}", re.ASCII)
# What says who runs it, or what a name pretends to be: U+202E turns "exe.jpg" around.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def content_type_of(content: bytes, name: str = "") -> str:
    """Return the content type that the bytes of a file show, `application/octet-stream` where they show none.

    Several formats begin alike (each office document is a ZIP file). Among those the ending of the name chooses.
    """
    try:
        matches = puremagic.magic_string(content) if content else []
    except (puremagic.PureError, ValueError):
        matches = []
    types = {
        match.extension: match.mime_type.lower()
        for match in reversed(matches)
        if match.confidence >= CONFIDENT and CONTENT_TYPE.fullmatch(match.mime_type)
    }
    by_name = types.get(f".{name.rpartition('.')[2].lower()}")
    if by_name or types:
        return by_name or (ARCHIVE if content.startswith(b"PK\3\4") else list(types.values())[-1])
    return "text/plain" if _is_text(content) else UNKNOWN


def _is_text(content: bytes) -> bool:
    beginning = content[:LOOKED_AT]
    if not beginning:
        return False
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 3:  # else a character is cut in two
            return False
    return not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in beginning)


def safe_name(name: str, fallback: str = "file") -> str:
    """Return the name of a file without a folder and without characters that nobody sees.

    A long one is cut before its ending, by which people know what it is.
    """
    name = "".join(character for character in name if unicodedata.category(character) not in _HIDDEN)
    name = " ".join(name.replace("\\", "/").rpartition("/")[2].split()).strip(". ")
    if len(name) > NAME_LENGTH:
        stem, dot, ending = name.rpartition(".")
        ending = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
        name = name[: NAME_LENGTH - len(ending)] + ending
    return name or fallback


def header_name(name: str) -> str:
    """Return the Content-Disposition of a download (RFC 6266): it is never opened in the browser on our own origin."""
    return content_disposition_header(as_attachment=True, filename=name) or "attachment"
