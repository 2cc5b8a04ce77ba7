"""Is a pasted signature ours? Checked with the very function that signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from core.secrets import Unreadable
from webhooks.models import Endpoint
from webhooks.signing import is_signed

SIGNED_BY = ("id", "timestamp", "signature")
TOLERANCE_SECONDS = 5 * 60  # what receivers' libraries allow (Standard Webhooks, "Timestamp")


@dataclass(frozen=True)
class Verdict:
    mark: str
    title: str
    detail: str


def verify_signature(endpoint: Endpoint, *, id: str, timestamp: str, signature: str, body: str) -> Verdict:
    """Say whether one of the signatures is ours, and by which secret; and if not, what people get wrong."""
    if not (timestamp.isascii() and timestamp.isdigit()):
        return Verdict("bad", "Not valid.", "The timestamp is the number of seconds since 1970.")
    # Browsers send the lines of a text field with CR LF.
    bodies = dict.fromkeys((body.encode(), body.replace("\r\n", "\n").encode()))
    try:
        return _verdict(endpoint, id, int(timestamp), signature, bodies)
    except Unreadable as error:
        return Verdict("bad", "Cannot be checked.", f"{error} Regenerate the keys.")


def _verdict(endpoint: Endpoint, id: str, timestamp: int, signature: str, bodies: Iterable[bytes]) -> Verdict:
    for secret, is_old in endpoint.signing_secrets():
        for raw in bodies:
            if is_signed(signature, secret.reveal(), webhook_id=id, timestamp=timestamp, body=raw):
                which = "the old signing secret, which still overlaps" if is_old else "the current signing secret"
                return Verdict("ok", "Valid.", f"Signed with {which}.{_age(timestamp)}")
    detail = (
        "This signature doesn't match any of this webhook's secrets. Check that the body is what came over the wire,"
        " before any parsing,"
    )
    return Verdict("bad", "Not valid.", f"{detail} and that the secret begins with whsec_ (whpk_ for v1a).")


def _age(timestamp: int) -> str:
    seconds = timezone.now().timestamp() - timestamp
    if abs(seconds) <= TOLERANCE_SECONDS:
        return ""
    return " Its timestamp is more than five minutes away from now, so a receiver's library would refuse it today."
