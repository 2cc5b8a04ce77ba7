"""Whether a mail comes from the domain that it names, as far as that can be known."""

from __future__ import annotations

import re
from email.message import Message

RESULTS_MAX = 20  # headers
_DMARC = re.compile(r"\bdmarc\s*=\s*([a-z]+)", re.IGNORECASE)


def dmarc_results(mail: Message) -> list[tuple[str, str]]:
    """Return (who checked, result) of each Authentication-Results header (RFC 8601). Strangers may have written it."""
    seen = []
    for value in (mail.get_all("Authentication-Results") or [])[:RESULTS_MAX]:
        checker, _, results = str(value).partition(";")
        match = _DMARC.search(results)
        if match and checker.split():
            seen.append((checker.split()[0].lower(), match[1].lower()))
    return seen


def is_verified(
    *, sender: str, envelope_from: str, results: list[tuple[str, str]], trusted: str, has_token: bool
) -> bool:
    """Whether the mail may speak for the address that it names as its sender.

    `trusted` is the name under which our own mail server writes its results; it removes those that pretend to be its
    own (RFC 8601, 5). Without a result, the sender of the envelope decides: a mail server has let them send.
    """
    own = [result for checker, result in results if trusted and checker == trusted.lower()]
    if "fail" in own:
        return False
    return "pass" in own or has_token or _is_aligned(_domain(sender), _domain(envelope_from))


def _is_aligned(first: str, second: str) -> bool:
    """The same domain, or one within the other, as DMARC has it in its relaxed mode (RFC 7489, 3.1.2)."""
    return bool(first and second) and (first == second or first.endswith(f".{second}") or second.endswith(f".{first}"))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
