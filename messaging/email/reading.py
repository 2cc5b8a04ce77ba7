"""What a raw mail says, and whether a person wrote it."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, field

from core.mime.bounds import READ_MAX, bounded, parsed, with_line_feeds
from core.mime.files import file_parts
from core.mime.headers import SHOWN_MAX, Headers, decode_words
from core.mime.html import html_of
from core.mime.text import CONTENT_MAX, clean, text_of
from messaging.addresses import is_email, normalize_email
from messaging.email.senders import Sender, sender_of
from messaging.email.verification import dmarc_results
from understanding.bounces import Report, read_report
from understanding.programs import is_automatic
from understanding.quotes import split_reply

logger = logging.getLogger(__name__)

MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
PARENTS_MAX = 50


@dataclass(frozen=True)
class Mail:
    """A mail, read. Text is safe to store: without NUL and lone surrogates."""

    header_id: str
    sender: str  # normalized, "" when there is none that could be answered
    sender_name: str
    subject: str
    reply_text: str  # what the person wrote
    quoted_text: str  # quotes and signature
    parents: list[str] = field(default_factory=list)  # Message-IDs of In-Reply-To and References
    is_automatic: bool = False  # a program wrote it
    report: Report | None = None  # what it says of another mail
    dmarc: list[tuple[str, str]] = field(default_factory=list)  # who checked, and what came out
    has_html: bool = False
    has_files: bool = False
    is_understood: bool = True  # False: these are its bytes as text, not its words

    @property
    def repeat_key(self) -> str:
        """The same for the same words of the same sender under the same Message-ID: anybody can write any of these."""
        text = "\0".join((self.header_id, self.sender, self.reply_text, self.quoted_text))
        return hashlib.sha256(text.encode()).hexdigest()


def read(raw: bytes) -> Mail:
    """Read a raw mail, the beginning of it where it is long. The parsers may take long: see `reader_process.py`."""
    try:
        return _read(raw)
    except Exception:  # they raise whatever they like, RecursionError among it
        logger.info("a mail could not be understood", exc_info=True)
        return read_as_text(raw)


def _read(raw: bytes) -> Mail:
    beginning = bounded(raw)
    mail = parsed(with_line_feeds(beginning))
    headers = Headers(mail)
    sender = sender_of(headers)
    written, quoted_text = split_reply(text_of(mail))
    if not written and len(beginning) < min(len(raw), READ_MAX):
        return read_as_text(raw)  # the words, if there are any, are behind what no mail program writes
    report = read_report(mail, headers, sender.address)
    return Mail(
        header_id=_id_of(headers.text("Message-ID"), raw),
        sender=sender.address,
        sender_name=sender.name,
        subject=headers.text("Subject"),
        reply_text=written,
        quoted_text=quoted_text,
        parents=MESSAGE_ID.findall(f"{headers.text('In-Reply-To')} {headers.text('References')}")[:PARENTS_MAX],
        is_automatic=report is not None or is_automatic(mail, headers, sender.address),
        report=report,
        dmarc=dmarc_results(mail),
        has_html=bool(html_of(mail).strip()),
        has_files=len(beginning) < len(raw) or any(True for _ in file_parts(mail)),
    )


def html_in(raw: bytes) -> str:
    """Return the HTML of a raw mail as its writer made it, of the beginning of the mail where that is long."""
    return html_of(parsed(with_line_feeds(bounded(raw))))


def _id_of(header: str, raw: bytes) -> str:
    match = MESSAGE_ID.search(header)
    return match[0] if match else f"<sha256.{hashlib.sha256(raw).hexdigest()}@unnamed>"


def read_as_text(raw: bytes) -> Mail:
    """Return what anybody can see in a mail that no parser understands: its bytes as text. It takes no time."""
    text = clean(raw[:READ_MAX].decode("utf-8", "replace")).replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    lines = dict(reversed([_field(line) for line in head[:SHOWN_MAX].split("\n")]))
    sender = _sender_in(lines.get("from", ""))
    return Mail(
        header_id=_id_of(lines.get("message-id", ""), raw),
        sender=sender.address,
        sender_name=sender.name,
        subject=decode_words(lines.get("subject", "")),
        reply_text=body[:CONTENT_MAX].strip() or head[:CONTENT_MAX].strip(),
        quoted_text="",
        is_understood=False,
    )


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _sender_in(text: str) -> Sender:
    candidates = re.split(r"[\s<>\"',;]+", text[:SHOWN_MAX])
    address = next((normalize_email(word) for word in candidates if is_email(normalize_email(word))), "")
    return Sender("", address)
