"""What a raw mail says, and whether a person wrote it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import getaddresses

from bs4 import BeautifulSoup

from leads.contact import is_email, normalize_email

Header = Callable[[str], str]

MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
CONTENT_MAX = 50_000  # characters of one mail that are shown; the raw mail keeps all of it
OWN_MESSAGE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")

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
    bounced_messages: list[str] = field(default_factory=list)  # our own message ids that a bounce names
    bounce_reason: str = ""


def read(raw: bytes) -> Mail:
    """Read a raw mail. Never raises: what cannot be read is left empty."""
    parsed = message_from_bytes(raw, policy=policy.compat32.clone(raise_on_defect=False))
    modern = message_from_bytes(raw, policy=policy.default)
    header = _headers(parsed)
    sender_name, sender = _sender(header("From") or header("Sender"))
    written, folded = split_reply(_text(modern))
    is_bounce = _is_bounce(parsed, header, sender)
    own = sorted(set(OWN_MESSAGE.findall(raw.decode("ascii", "ignore")))) if is_bounce else []
    own_id = MESSAGE_ID.search(header("Message-ID"))
    return Mail(
        header_id=own_id[0] if own_id else f"<sha256.{hashlib.sha256(raw).hexdigest()}@unnamed>",
        sender=sender,
        sender_name=sender_name,
        subject=header("Subject"),
        written=written,
        folded=folded,
        parents=MESSAGE_ID.findall(f"{header('In-Reply-To')} {header('References')}")[:50],
        is_bounce=is_bounce,
        is_automatic=is_bounce or _is_automatic(header),
        bounced_messages=own,
        bounce_reason=_bounce_reason(raw) if is_bounce else "",
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
        return " ".join(clean(text).split())[:2_000]

    return header


def _sender(text: str) -> tuple[str, str]:
    for name, address in getaddresses([text]):
        normalized = normalize_email(address)
        if is_email(normalized):
            return " ".join(name.split())[:200], normalized
    return "", ""


def _text(mail: EmailMessage) -> str:
    """The plain text of a mail; of an HTML mail its words."""
    try:
        part = mail.get_body(preferencelist=("plain", "html"))
    except (KeyError, ValueError, AttributeError, LookupError):
        part = None
    if part is None:
        return ""
    try:
        content = part.get_content()
    except (KeyError, LookupError, ValueError, UnicodeError, AttributeError):
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if not isinstance(content, str):
        return ""
    if part.get_content_type() == "text/html":
        content = _words_of_html(content)
    return clean(content.replace("\r\n", "\n"))[:CONTENT_MAX]


def _words_of_html(html: str) -> str:
    soup = BeautifulSoup(html, "html.parser")
    for hidden in soup(["script", "style", "head", "title"]):
        hidden.decompose()
    for quoted in soup.select("blockquote, .gmail_quote, #divRplyFwdMsg"):
        quoted.insert_before(soup.new_string("\n> \n"))
    for line_break in soup(["br", "p", "div", "li", "tr"]):
        line_break.append("\n")
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", soup.get_text())


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


def _is_bounce(parsed: Message, header: Header, sender: str) -> bool:
    """A delivery report (RFC 3464), or what servers write that know no reports."""
    if parsed.get_content_type() == "multipart/report":
        return True
    local_part = sender.partition("@")[0] or header("From").partition("@")[0].strip("<").lower()
    is_machine = (
        local_part in ("mailer-daemon", "postmaster", "mail-daemon") or "mailer-daemon" in header("From").lower()
    )
    return is_machine or header("Return-Path") == "<>" or bool(header("X-Failed-Recipients"))


def _is_automatic(header: Header) -> bool:
    """RFC 3834, and the headers that older auto-responders and lists use."""
    submitted = header("Auto-Submitted").lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or header("Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
        or (header("X-Auto-Response-Suppress").lower() in ("all", "oof", "autoreply") and not header("In-Reply-To"))
        or bool(header("X-Autoreply") or header("X-Autorespond") or header("X-Auto-Reply-From") or header("List-Id"))
    )


def _bounce_reason(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    found = re.search(
        r"^Diagnostic-Code:\s*(?:smtp;)?\s*((?:.+\n?)(?:[ \t]+.+\n?)*)", text, re.IGNORECASE | re.MULTILINE
    )
    return clean(" ".join(found[1].split()))[:400] if found else "The mail came back"
