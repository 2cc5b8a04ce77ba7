"""The fields of a delivery report (RFC 3464, 2.3), wherever in a mail they stand."""

from __future__ import annotations

import re
from typing import NamedTuple

RECIPIENTS_MAX = 50
VALUE_MAX = 2_000  # characters
_FIELD = re.compile(
    r"^(Original-Recipient|Final-Recipient|Action|Status|Diagnostic-Code|X-Actual-Recipient) ?:(.*)$", re.I
)
_QUOTED = re.compile(r"^(?:> ?)+")
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_BESIDE_A_CODE = re.compile(r"(?<!\d)[45]\d\d[ \-]{1,3}['\"#<\[(]?([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
REPLY_CODE = re.compile(r"(?<![\d.\-/:])([45]\d\d)(?:[ \-]|$)(?!\d)")


class Recipient(NamedTuple):
    """What a report says of one recipient; "" for what it leaves out."""

    address: str
    action: str  # failed, delayed, delivered, relayed, expanded
    status: str  # class.subject.detail (RFC 3463)
    diagnostic: str


def recipients_of(text: str) -> list[Recipient]:
    """Return the recipients that the fields in a text tell of. The text may be quoted, and stand among other words."""
    blocks: list[dict[str, str]] = [{}]
    name = ""
    for line in text.split("\n"):
        line = _QUOTED.sub("", line).rstrip()
        field = _FIELD.match(line)
        if field:
            name = field[1].lower()
            if name in blocks[-1]:
                blocks.append({})
            blocks[-1][name] = field[2].strip()[:VALUE_MAX]
        elif name and line[:1] in (" ", "\t") and line.strip():
            blocks[-1][name] = f"{blocks[-1][name]} {line.strip()}"[:VALUE_MAX]
        elif not line.strip():
            name = ""
            if blocks[-1]:
                blocks.append({})
        else:
            name = ""
        if len(blocks) > RECIPIENTS_MAX:
            break
    return [_recipient(block) for block in blocks if "action" in block or "final-recipient" in block]


def _recipient(block: dict[str, str]) -> Recipient:
    address = block.get("final-recipient") or block.get("original-recipient", "")
    diagnostic = block.get("diagnostic-code", "")
    status = STATUS.search(block.get("status", ""))
    return Recipient(
        address=address.rpartition(";")[2].strip(" <>").lower(),
        action=block.get("action", "").partition(" ")[0].lower(),
        status=status[1] if status else "",
        diagnostic=(diagnostic.partition(";")[2] if ";" in diagnostic[:12] else diagnostic).strip(),
    )


def status_of(recipient_status: str, words: str) -> str:
    """Return the enhanced status code of a failure: the most exact one that its fields and its words name.

    A mail server that relays, or gave up, writes its own status ("5.0.0", "4.4.7") beside the words of the server that
    refused ("550 5.1.1 User unknown"): the words are nearer to the cause.
    """
    named = _BESIDE_A_CODE.search(words) or STATUS.search(words)
    if named and named[1][0] in "45" and not (recipient_status and named[1].endswith(".0.0")):
        return named[1]
    code = REPLY_CODE.search(words)
    return recipient_status or (f"{code[1][0]}.0.0" if code else "")
