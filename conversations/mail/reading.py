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
from html.parser import HTMLParser
from typing import Any

from leads.contact import is_email, normalize_email

logger = logging.getLogger(__name__)

Header = Callable[[str], str]

MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
CONTENT_MAX = 50_000  # characters of one mail that are shown; the raw mail keeps all of it
READ_MAX = 1_000_000  # bytes of one mail that are read: words come before attachments
HEADERS_MAX, HEADER_MAX, HEADER_SHOWN = 64 * 1024, 16 * 1024, 2_000  # bytes of all, bytes of one, characters
PARTS_MAX = 200
HTML_MAX = 100_000  # characters
OWN_MESSAGE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")
OWN_MESSAGE_LINE = re.compile(r"^[> \t]*Message-ID:[ \t]*<(msg_[0-9a-hjkmnp-tv-z]{26})@", re.IGNORECASE | re.MULTILINE)

QUOTE_HEADS = re.compile(
    r"^(?:"
    r">|"
    r"-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original)\b.*|"
    r"_{10,}$|"
    r"(?:on|am|le|el|il|op|em)\b.{5,200}(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu).{0,40}:\s*$|"
    r"(?:from|von|de|da|van) ?: .*@.*$"
    r")",
    re.IGNORECASE,
)
SIGNATURE_HEADS = re.compile(
    r"^(?:-- ?|sent from my .{2,40}|get outlook for .{2,20}|von meinem .{2,30} gesendet)$", re.IGNORECASE
)


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
    written, folded = split_reply(_text(parsed))
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


def clean(text: str) -> str:
    """Replace what cannot be stored: NUL, other control characters, lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32)


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


def _text(mail: Message) -> str:
    """The plain text of a mail; of one that is only HTML its words."""
    html = ""
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        if part.get_content_type() == "text/plain":
            return clean(_decoded(part).replace("\r\n", "\n"))[:CONTENT_MAX]
        if part.get_content_type() == "text/html" and not html:
            html = _decoded(part)
    return clean(words_of_html(html))[:CONTENT_MAX] if html else ""


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


class _Words(HTMLParser):
    """One pass over HTML that keeps its words; blocks become lines, quotes get a mark."""

    HIDDEN = frozenset({"script", "style", "head", "title"})
    BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "table", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.HIDDEN
        if tag in self.BLOCKS:
            self.words.append("\n")
        if tag == "blockquote" or "gmail_quote" in (dict(attrs).get("class") or ""):
            self.words.append("> \n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.HIDDEN and self.hidden > 0
        if tag in self.BLOCKS:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(re.sub(r"\s+", " ", data))


def words_of_html(html: str) -> str:
    """The words of an HTML mail, of its first HTML_MAX characters."""
    parser = _Words()
    parser.feed(html[:HTML_MAX])
    lines = [line.strip() for line in "".join(parser.words).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def split_reply(text: str) -> tuple[str, str]:
    """Split a mail into what the person wrote, and the quotes and signature below it."""
    lines = text.strip("\n").split("\n")
    for index, line in enumerate(lines):
        if QUOTE_HEADS.match(line.strip()) or SIGNATURE_HEADS.match(line.rstrip("\r")):
            written, folded = "\n".join(lines[:index]).strip(), "\n".join(lines[index:]).strip()
            if written or not line.startswith(">"):
                return written, folded
            break
    # An answer below its quotes: fold the quoted lines away and keep the rest.
    written = "\n".join(line for line in lines if not line.startswith(">")).strip()
    folded = "\n".join(line for line in lines if line.startswith(">")).strip()
    return written, folded


def _bounced(parsed: Message, header: Header, sender: str) -> tuple[str | None, str]:
    """The message of ours that came back ("" when a bounce names none), and why; (None, "") when none came back."""
    if parsed.get_content_type() == "multipart/report":
        if str(parsed.get_param("report-type", "")).lower() != "delivery-status":
            return None, ""  # a read receipt, or a complaint
        return _report(parsed)
    if not _is_from_a_mailer(header, sender):
        return None, ""
    text = _text(parsed)
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
            headers = inner[0] if isinstance(inner, list) and inner else message_from_bytes(_decoded(part).encode())
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
