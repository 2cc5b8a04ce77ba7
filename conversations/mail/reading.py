"""What a raw mail says, and whether a person wrote it."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from typing import Any

from conversations.mail.quotes import split_reply
from conversations.mail.text import clean, decoded, text_of
from leads.contact import is_email, normalize_email

logger = logging.getLogger(__name__)

Header = Callable[[str], str]

MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
READ_MAX = 1_000_000  # bytes of one mail that are read: words come before attachments
HEADERS_MAX, HEADER_MAX, HEADER_SHOWN = 64 * 1024, 16 * 1024, 2_000  # bytes of all, bytes of one, characters
PARTS_MAX = 200
OWN_MESSAGE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")
OWN_MESSAGE_LINE = re.compile(r"^[> \t]*Message-ID:[ \t]*<(msg_[0-9a-hjkmnp-tv-z]{26})@", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """A mail, read. Text is safe to store: without NUL and lone surrogates."""

    header_id: str
    sender: str  # normalized, "" when there is none that could be answered
    sender_name: str
    subject: str
    written: str  # what the person wrote
    folded: str  # quotes and signature
    parents: list[str] = field(default_factory=list)  # Message-IDs of In-Reply-To and References
    is_bounce: bool = False
    is_automatic: bool = False
    bounced_message: str = ""  # our own id of the message that came back
    bounce_reason: str = ""


def read(raw: bytes) -> Mail | None:
    """Read a raw mail. None when it cannot be read: too long headers, too many parts, or nonsense.

    Strangers write mails, and Python's parsers take quadratic time on some: what they see is bounded first.
    """
    if not _is_readable(raw):
        return None
    try:
        return _read(raw)
    except Exception:  # the parsers raise whatever they like, RecursionError among it
        logger.info("a mail could not be read", exc_info=True)
        return None


def _is_readable(raw: bytes) -> bool:
    head = raw[: HEADERS_MAX + 1].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    longest = max((len(line) for line in re.sub(rb"\n[ \t]", b" ", head).split(b"\n")), default=0)
    return len(head) <= HEADERS_MAX and longest <= HEADER_MAX and raw[:READ_MAX].count(b"\n--") <= PARTS_MAX


def _read(raw: bytes) -> Mail:
    parsed = message_from_bytes(raw[:READ_MAX])
    header = _headers(parsed)
    sender_name, sender = _sender(header("From") or header("Sender"))
    written, folded = split_reply(text_of(parsed))
    own_id = MESSAGE_ID.search(header("Message-ID"))
    bounced, reason = _bounced(parsed, header, sender)
    return Mail(
        header_id=own_id[0] if own_id else f"<sha256.{hashlib.sha256(raw).hexdigest()}@unnamed>",
        sender=sender,
        sender_name=sender_name,
        subject=header("Subject"),
        written=written,
        folded=folded,
        parents=MESSAGE_ID.findall(f"{header('In-Reply-To')} {header('References')}")[:50],
        is_bounce=bounced is not None,
        is_automatic=bounced is not None or _is_automatic(parsed, header, sender),
        bounced_message=bounced or "",
        bounce_reason=reason,
    )


def _headers(parsed: Message) -> Header:
    def header(name: str) -> str:
        value = parsed.get(name)
        if value is None:
            return ""
        try:
            text = str(make_header(decode_header(str(value))))
        except (ValueError, LookupError, UnicodeError, AssertionError):
            text = str(value)
        return " ".join(clean(text).split())[:HEADER_SHOWN]

    return header


def _sender(text: str) -> tuple[str, str]:
    for name, address in getaddresses([text]):
        normalized = normalize_email(address)
        if is_email(normalized):
            return " ".join(name.split())[:200], normalized
    return "", ""


def _bounced(parsed: Message, header: Header, sender: str) -> tuple[str | None, str]:
    """The message of ours that came back ("" when a bounce names none), and why; (None, "") when none came back."""
    if parsed.get_content_type() == "multipart/report":
        if str(parsed.get_param("report-type", "")).lower() != "delivery-status":
            return None, ""  # a read receipt, or a complaint
        return _report(parsed)
    if not _is_from_a_mailer(header, sender):
        return None, ""
    text = text_of(parsed)
    named = OWN_MESSAGE_LINE.search(text)
    if header("Auto-Submitted").lower() == "auto-replied":
        return None, ""
    return (named[1] if named else ""), "The mail came back"


def _report(parsed: Message) -> tuple[str | None, str]:
    """Read a delivery report (RFC 3464): only `Action: failed` is one. Its last part is the mail that came back."""
    has_failed, reason, named = False, "The mail came back", ""
    for part in list(parsed.walk())[:PARTS_MAX]:
        kind = part.get_content_type()
        if part.get("Action", "").strip().lower() == "failed":
            has_failed = True
            diagnostic = " ".join(str(part.get("Diagnostic-Code", "")).split())
            reason = clean(diagnostic.partition(";")[2].strip() or diagnostic)[:400] or reason
        elif kind in ("message/rfc822", "text/rfc822-headers"):
            inner: Any = part.get_payload()
            headers = inner[0] if isinstance(inner, list) and inner else message_from_bytes(decoded(part).encode())
            found = OWN_MESSAGE.match(str(headers.get("Message-ID", "")).strip().lstrip("<"))
            named = found[0] if found else named
    return (named, reason) if has_failed else (None, "")


def _is_from_a_mailer(header: Header, sender: str) -> bool:
    local_part = sender.partition("@")[0] or header("From").partition("@")[0].strip("<").lower()
    is_machine = local_part in ("mailer-daemon", "postmaster", "mail-daemon")
    return is_machine or "mailer-daemon" in header("From").lower() or bool(header("X-Failed-Recipients"))


def _is_automatic(parsed: Message, header: Header, sender: str) -> bool:
    """RFC 3834, reports, and the headers that older auto-responders and lists use."""
    submitted = header("Auto-Submitted").lower()
    return (
        parsed.get_content_type() == "multipart/report"
        or _is_from_a_mailer(header, sender)
        or header("Return-Path") == "<>"
        or (bool(submitted) and not submitted.startswith("no"))
        or header("Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
        or bool(header("X-Autoreply") or header("X-Autorespond") or header("X-Auto-Reply-From") or header("List-Id"))
    )
