"""Mails that programs write: bounces, delay warnings, automatic answers."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from typing import Any, NamedTuple

from core.mime.bounds import PARTS_MAX
from core.mime.headers import Headers
from core.mime.text import clean, decoded, text_of

OWN_MESSAGE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")
OWN_MESSAGE_LINE = re.compile(r"^[> \t]*Message-ID:[ \t]*<(msg_[0-9a-hjkmnp-tv-z]{26})@", re.IGNORECASE | re.MULTILINE)
REASON_MAX = 400  # characters
CAME_BACK = "The mail came back"


class Bounce(NamedTuple):
    """A mail that came back: our own id of it, "" when the bounce names none of ours, and why."""

    message: str
    reason: str


def bounce_of(parsed: Message, headers: Headers, sender: str) -> Bounce | None:
    """Return what came back; None when this is no bounce."""
    if parsed.get_content_type() == "multipart/report":
        if str(parsed.get_param("report-type", "")).lower() != "delivery-status":
            return None  # a read receipt, or a complaint
        return _report(parsed)
    if not _is_from_a_mailer(headers, sender) or headers.text("Auto-Submitted").lower() == "auto-replied":
        return None
    named = OWN_MESSAGE_LINE.search(text_of(parsed))
    return Bounce(named[1] if named else "", CAME_BACK)


def _report(parsed: Message) -> Bounce | None:
    """Read a delivery report (RFC 3464): only `Action: failed` is one. Its last part is the mail that came back."""
    has_failed, reason, named = False, CAME_BACK, ""
    for part in list(parsed.walk())[:PARTS_MAX]:
        headers, kind = Headers(part), part.get_content_type()
        if headers.text("Action").lower() == "failed":
            has_failed = True
            diagnostic = headers.text("Diagnostic-Code")
            reason = (diagnostic.partition(";")[2].strip() or diagnostic)[:REASON_MAX] or reason
        elif kind in ("message/rfc822", "text/rfc822-headers"):
            named = _own_message(part) or named
    return Bounce(named, clean(reason)) if has_failed else None


def _own_message(part: Message) -> str:
    inner: Any = part.get_payload()
    returned = inner[0] if isinstance(inner, list) and inner else message_from_bytes(decoded(part).encode())
    match = OWN_MESSAGE.match(Headers(returned).text("Message-ID").lstrip("<"))
    return match[0] if match else ""


def _is_from_a_mailer(headers: Headers, sender: str) -> bool:
    author = headers.text("From")
    local_part = sender.partition("@")[0] or author.partition("@")[0].strip("<").lower()
    is_machine = local_part in ("mailer-daemon", "postmaster", "mail-daemon")
    return is_machine or "mailer-daemon" in author.lower() or bool(headers.text("X-Failed-Recipients"))


def is_automatic(parsed: Message, headers: Headers, sender: str) -> bool:
    """True for what RFC 3834 marks, for reports, and for the marks of older programs.

    A list alone is none: people write to lists, and through them. Nor is `Precedence: bulk` of a list that one may
    write to (RFC 2369, 3.4): older list managers set it.
    """
    submitted = headers.text("Auto-Submitted").lower()
    posts = headers.text("List-Post")
    is_discussed = bool(posts) and not posts.upper().startswith("NO")
    precedence = headers.text("Precedence").lower()
    return (
        parsed.get_content_type() == "multipart/report"
        or _is_from_a_mailer(headers, sender)
        or headers.text("Return-Path") == "<>"
        or (bool(submitted) and not submitted.startswith("no"))
        or precedence in ("junk", "auto_reply")
        or (precedence == "bulk" and not is_discussed)
        or any(headers.text(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply-From"))
    )
