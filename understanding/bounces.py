"""Read delivery reports: bounces, delays, deliveries, complaints, read receipts (RFC 3464, 3798, 5965)."""

from __future__ import annotations

import logging
import re
from email import message_from_bytes
from email.message import Message
from typing import Any, NamedTuple

from flufl.bounce import all_failures

from core.mime.bounds import PARTS_MAX
from core.mime.headers import Headers
from core.mime.text import clean, decoded, text_of
from understanding.bounce_fields import REPLY_CODE, STATUS, Recipient, recipients_of, status_of
from understanding.bounce_words import any_of, is_hard
from understanding.report_kinds import Kind
from understanding.ses_notices import read_notice

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # a detector that fails is one of many

OWN_MESSAGE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")
OWN_MESSAGE_LINE = re.compile(r"^[> \t]*Message-ID:[ \t]*<(msg_[0-9a-hjkmnp-tv-z]{26})@", re.IGNORECASE | re.MULTILINE)
REASON_MAX = 400  # characters
CAME_BACK = "The mail came back"
HEAD_MAX = 8_000  # characters that are searched for what went wrong
FORWARDED_WORDS_MAX = 6  # that somebody writes above a bounce which they only pass on
_WAITS = any_of(
    r"will (?:be |keep |continue (?:to )?(?:be )?)?(?:retr|try)",
    r"still be(?:ing)? (?:retried|tried)",
    r"not yet been delivered",
    r"you do not need to resend",
    r"delivery (?:has been |is )?delayed",
    r"has been (?:delayed|postponed)",
    r"no action is required on your part",
    r"warning message only",
    r"(?:attempts|delivery) will continue",
)
_FAILED = any_of(
    r"undeliver|undelivered",
    r"(?:not be|not yet been|was not|were not) delivered",
    r"unable to deliver|did not reach",
    r"delivery (?:has )?(?:failed|failure|delayed|status notification)",
    r"mail (?:delivery )?fail|returned (?:mail|to sender)",
    r"permanent (?:fatal )?error|following address",
)
_COPY = re.compile(
    r"^(?:-{3,}.*(?:original|copy|returned|unsent).*"
    r"|.*(?:is a copy of|original message (?:follows|headers)|enclosed is a copy|below this line).*)$",
    re.IGNORECASE | re.MULTILINE,
)
_HOTMAIL_COMPLAINT = re.compile(r"complaint about message from [\d.]+", re.IGNORECASE)  # not in the form of RFC 5965
_NOT_AN_ANSWER = ("Received", "\t", "Date", "Status:", "Last-Attempt-Date", "Arrival-Date")
_MAILERS = any_of(
    r"mail(?:er)?[-_. ]?daemon",
    r"(?:^|<)postmaster",
    r"mail delivery (?:subsystem|system|service|agent)",
    r"mail administrator",
    r"(?:^|<)(?:mmdf|mta|bounces?|uucp)@",
)


class Report(NamedTuple):
    """What a mail server or a mail program tells about a mail."""

    kind: Kind
    recipients: tuple[str, ...] = ()  # addresses
    status: str = ""  # class.subject.detail (RFC 3463); "" when it names none
    is_hard: bool = False  # nothing sent to that address will arrive
    reason: str = ""  # in the words of the server
    message: str = ""  # our own id of the mail that it is about


def read_report(mail: Message, headers: Headers, sender: str) -> Report | None:
    """Return what a mail reports; None when it is no report.

    `sender` is the address that wrote it, "" when it has none that could be answered.
    """
    kind = _declared_kind(mail, headers)
    if kind in (Kind.COMPLAINT, Kind.READ_RECEIPT):
        return Report(kind, tuple(_complained(mail)), message=_own_message_in(mail))
    prose = text_of(mail) or _raw_text(mail)
    if (notice := read_notice(prose)) is not None:
        return Report(*notice)
    recipients = recipients_of(_fields_text(mail)) or recipients_of(_raw_text(mail))
    if kind is None and not _is_of_a_mailer(mail, headers, sender, prose, recipients):
        return None
    return _about_delivery(mail, prose, recipients)


def _declared_kind(mail: Message, headers: Headers) -> Kind | None:
    """What the structure says (RFC 6522); None when it says nothing."""
    if _HOTMAIL_COMPLAINT.match(headers.text("Subject")) and "message/rfc822" in {
        part.get_content_type() for part in mail.walk()
    }:
        return Kind.COMPLAINT
    if mail.get_content_type() != "multipart/report":
        return None
    kinds = {
        "delivery-status": Kind.BOUNCE,
        "feedback-report": Kind.COMPLAINT,
        "disposition-notification": Kind.READ_RECEIPT,
    }
    return kinds.get(str(mail.get_param("report-type", "")).lower())


def _about_delivery(mail: Message, prose: str, recipients: list[Recipient]) -> Report:
    failed = [recipient for recipient in recipients if recipient.action == "failed"]
    words = _words_of_the_server(failed or recipients, prose)
    kind = Kind.BOUNCE if failed else _kind_without_failure(mail, prose, recipients)
    status = status_of(failed[0].status if failed else recipients[0].status if recipients else "", words)
    return Report(
        kind=kind,
        recipients=tuple(recipient.address for recipient in failed or recipients if recipient.address),
        status=status,
        is_hard=kind is Kind.BOUNCE and is_hard(status, words or _head(prose)),
        reason=clean(words[:REASON_MAX]).strip() or CAME_BACK,
        message=_own_message_in(mail),
    )


def _kind_without_failure(mail: Message, prose: str, recipients: list[Recipient]) -> Kind:
    actions = {recipient.action for recipient in recipients}
    if actions & {"delivered", "relayed", "expanded"}:
        return Kind.DELIVERED
    if "delayed" in actions:
        return Kind.DELAY
    return Kind.DELAY if _WAITS.search(_head(prose)) else Kind.BOUNCE


def _words_of_the_server(recipients: list[Recipient], prose: str) -> str:
    """What the server that refused said: in the fields, else on the first line that has a reply code."""
    for recipient in recipients:
        if recipient.diagnostic:
            return recipient.diagnostic
    lines = _head(prose).split("\n")
    for pattern in (STATUS, REPLY_CODE):
        for index, line in enumerate(lines):
            if pattern.search(line) and not line.startswith(_NOT_AN_ANSWER):
                return _with_its_continuation(lines[index : index + 4])
    return ""


def _with_its_continuation(lines: list[str]) -> str:
    """The first line, and those below it that are indented as far."""
    words = [lines[0]]
    for line in lines[1:]:
        if not line[:1].isspace() or not line.strip():
            break
        words.append(line)
    return " ".join(word.strip(" \t>*") for word in words)


def _head(prose: str) -> str:
    """The part of a report that stands before the mail that came back."""
    return _COPY.split(prose)[0][:HEAD_MAX]


def _is_of_a_mailer(mail: Message, headers: Headers, sender: str, prose: str, recipients: list[Recipient]) -> bool:
    """Whether a mail without the structure of a report is one all the same: older servers write plain text."""
    is_answer = headers.text("Auto-Submitted").lower() == "auto-replied"  # Exim marks its bounces so, too
    if is_from_a_mailer(headers, sender):
        return _tells_of_a_delivery(mail, headers, prose, recipients, is_answer=is_answer)
    if is_answer:
        return False
    if recipients and any(recipient.action for recipient in recipients):
        return _is_passed_on(prose) or not headers.text("In-Reply-To")
    return bool(_failures(mail))


def _tells_of_a_delivery(
    mail: Message, headers: Headers, prose: str, recipients: list[Recipient], *, is_answer: bool
) -> bool:
    """Whether a mail from the address of a mail server is its report: a postmaster is a person who writes, too."""
    words = f"{headers.text('Subject')}\n{_head(prose)}"
    if _FAILED.search(words) or headers.text("X-Failed-Recipients"):
        return True
    if is_answer:
        return False
    has_codes = _WAITS.search(words) or STATUS.search(words) or OWN_MESSAGE_LINE.search(_raw_text(mail))
    return bool(has_codes or recipients or _failures(mail))


def _is_passed_on(prose: str) -> bool:
    own = re.split(r"(?im)^(?:begin forwarded message|-+ ?forwarded message|>).*$", prose)[0]
    return len(own.split()) <= FORWARDED_WORDS_MAX


def is_from_a_mailer(headers: Headers, sender: str) -> bool:
    """Whether a mail server wrote a mail, not a person or one of their programs."""
    is_mailer = _MAILERS.search(headers.text("From")) or _MAILERS.search(sender)
    return bool(is_mailer or headers.text("X-Failed-Recipients"))


def _failures(mail: Message) -> set[bytes]:
    """The addresses that flufl.bounce, which knows some forty servers' texts, says have failed."""
    if not isinstance(mail.get("From"), str):
        return set()  # none, or with bytes beyond ASCII, which no mail server writes and its detectors do not expect
    try:
        temporary, permanent = all_failures(mail)
    except Exception:  # its detectors raise whatever they like at what somebody else wrote
        return set()
    return {*temporary, *permanent}


def _fields_text(mail: Message) -> str:
    parts = [part for part in list(mail.walk())[:PARTS_MAX] if part.get_content_type() == "message/delivery-status"]
    return "\n\n".join(_flat(part) for part in parts)


def _flat(part: Message) -> str:
    """A part of fields as text: the parser makes a message of each block."""
    blocks: Any = part.get_payload()
    if not isinstance(blocks, list):
        return decoded(part) or str(blocks)
    return "\n\n".join("\n".join(f"{name}: {value}" for name, value in block.raw_items()) for block in blocks)


def _raw_text(mail: Message) -> str:
    whole = mail.get_payload()
    if isinstance(whole, str) and mail.get_content_maintype() == "multipart":
        return whole.replace("\r\n", "\n").replace("\r", "\n")  # its parts are not separated as its head says
    texts = [decoded(part) for part in list(mail.walk())[:PARTS_MAX] if part.get_content_maintype() == "text"]
    return "\n\n".join(texts).replace("\r\n", "\n").replace("\r", "\n")


def _complained(mail: Message) -> list[str]:
    """The recipients who complained, where the provider names them (RFC 5965, 3.2)."""
    for part in list(mail.walk())[:PARTS_MAX]:
        if part.get_content_type() == "message/feedback-report":
            lines = re.findall(
                r"(?im)^(?:Original-Rcpt-To|Final-Recipient):\s*(?:rfc822;)?\s*<?([^<>\s]+)", _flat(part)
            )
            return [line.lower() for line in lines]
    return []


def _own_message_in(mail: Message) -> str:
    """Our id of the mail that a report is about, from the copy that it encloses or from a line of its text."""
    for part in list(mail.walk())[:PARTS_MAX]:
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers") and (own := _own_message(part)):
            return own
    named = OWN_MESSAGE_LINE.search(_raw_text(mail))
    return named[1] if named else ""


def _own_message(part: Message) -> str:
    inner: Any = part.get_payload()
    returned = inner[0] if isinstance(inner, list) and inner else message_from_bytes(decoded(part).encode())
    match = OWN_MESSAGE.match(Headers(returned).text("Message-ID").lstrip("<"))
    return match[0] if match else ""
