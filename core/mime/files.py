"""The files in a mail: every part that is not its text."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from email.message import Message
from itertools import islice

from core.mime.headers import decode_words
from core.mime.text import DEEPEST

FILES_MAX = 50  # of one mail; the whole mail has the rest
_TEXTS = {"text/plain", "text/html"}
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
ATTACHED_MAIL = "mail.eml"


def file_parts(mail: Message) -> Iterator[Message]:
    """Yield the parts of a mail that are files, in their order, at most FILES_MAX."""
    return islice(_files(mail, DEEPEST), FILES_MAX)


def _files(part: Message, depth: int) -> Iterator[Message]:
    kind = part.get_content_type()
    if part.get_content_maintype() == "message" and part.is_multipart():
        yield part  # a mail within the mail
    elif part.is_multipart():
        children = part.get_payload()
        for child in children if depth and isinstance(children, list) else ():
            if isinstance(child, Message):
                yield from _files(child, depth - 1)
    elif (kind not in _TEXTS or part.get_content_disposition() == "attachment") and kind not in _SIGNATURES:
        yield part


def file_name(part: Message) -> str:
    """Return the name of a part as its sender gives it (RFC 2231, or encoded words), else one by its type."""
    name = part.get_filename() or ""
    raw = name.encode("ascii", "surrogateescape") if not name.isascii() and _has_bytes(name) else None
    if raw is not None:
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            name = raw.decode("cp1252", "replace")
    if name:
        return decode_words(name)
    if part.get_content_maintype() == "message":
        return ATTACHED_MAIL
    return f"file{mimetypes.guess_extension(part.get_content_type()) or ''}"


def _has_bytes(name: str) -> bool:
    """True for a name with bytes beyond ASCII, which the parser keeps as lone surrogates, and nothing else there."""
    return all(character.isascii() or "\udc80" <= character <= "\udcff" for character in name)


def file_content(part: Message) -> bytes:
    """Return the bytes of a part."""
    if part.get_content_maintype() == "message" and part.is_multipart():
        inner = part.get_payload(0)
        return inner.as_bytes() if isinstance(inner, Message) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
