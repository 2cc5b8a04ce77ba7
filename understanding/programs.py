"""Mails that programs write without being asked: automatic answers, newsletters, notices."""

from __future__ import annotations

from email.message import Message

from core.mime.headers import Headers
from understanding.bounces import is_from_a_mailer


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
        or is_from_a_mailer(headers, sender)
        or headers.text("Return-Path") == "<>"
        or (bool(submitted) and not submitted.startswith("no"))
        or precedence in ("junk", "auto_reply")
        or (precedence == "bulk" and not is_discussed)
        or any(headers.text(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply-From"))
    )
