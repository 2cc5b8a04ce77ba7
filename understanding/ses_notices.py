"""The notices that Amazon SES sends by mail, by way of SNS: JSON at the beginning of the text.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json
from typing import NamedTuple

from understanding.bounce_fields import status_of
from understanding.report_kinds import Kind

_KINDS = {"Bounce": Kind.BOUNCE, "Complaint": Kind.COMPLAINT, "Delivery": Kind.DELIVERED}
_RECIPIENTS = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients", "Delivery": "recipients"}
HARD_SUBTYPES = frozenset({"General", "NoEmail", "Suppressed", "OnAccountSuppressionList"})


class Notice(NamedTuple):
    """The fields of `reports.Report`, in their order."""

    kind: Kind
    recipients: tuple[str, ...]
    status: str
    is_hard: bool
    reason: str


def read_notice(text: str) -> Notice | None:
    """Return what a notice says; None when the text is none."""
    if not text.lstrip().startswith("{") or "otificationType" not in text[:2_000]:
        return None
    try:
        body, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
    except ValueError:
        return None
    name = str(body.get("notificationType", "")) if isinstance(body, dict) else ""
    detail = body.get(name.lower()) if name in _KINDS else None
    if not isinstance(detail, dict):
        return None
    rows = detail.get(_RECIPIENTS[name])
    recipients = [row if isinstance(row, dict) else {"emailAddress": row} for row in rows or []]
    first = recipients[0] if recipients else {}
    reason = str(first.get("diagnosticCode") or detail.get("smtpResponse") or "")
    permanent = detail.get("bounceType") == "Permanent" and detail.get("bounceSubType") in HARD_SUBTYPES
    return Notice(
        kind=_KINDS[name],
        recipients=tuple(str(row.get("emailAddress", "")).lower() for row in recipients),
        status=status_of(str(first.get("status", "")), reason),
        is_hard=permanent,
        reason=reason[:400],
    )
