"""What an ESP's refusal means, and what to do."""

from __future__ import annotations

from typing import Any

from messaging.failures import NotSent

WORDS_MAX = 200  # characters
TRY_AGAIN = (408, 425, 429)


def refused(label: str, status: int, words: str, retry_after: float | None = None) -> NotSent:
    """Return the failure for an answer of an ESP, in words for the team. `status` is that of the HTTP answer."""
    shown = " ".join(words.split())[:WORDS_MAX]
    if status in (401, 403):
        detail = f"{label} refuses the key. Enter the current one, and look whether it may send mail. It said: {shown}"
        return NotSent("channel.failed", detail.removesuffix(" It said: "), is_permanent=False)
    if status in TRY_AGAIN or status >= 500:
        detail = f"{label} could not take it yet: {status} {shown}".strip()
        return NotSent("channel.failed", detail, is_permanent=False, retry_after=retry_after)
    return NotSent("channel.refused", f"{label} refused it: {shown or status}", is_permanent=True)


def words_of(answer: Any) -> str:
    """Return what an ESP's JSON says of an error; each has its own names for it."""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    if isinstance(errors, list):  # SendGrid
        return " ".join(str(error.get("message", "")) for error in errors if isinstance(error, dict))
    return str(answer.get("Message") or answer.get("message") or answer.get("error") or "")
