"""Standard Webhooks signatures (https://www.standardwebhooks.com, version 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def sign(secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return one `v1,...` signature over `id.timestamp.body`. Raise ValueError when the secret is not base64."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("The signing secret is not base64.") from error
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signature_header(secrets: Iterable[str], *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each secret that is in force."""
    return " ".join(sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body) for secret in secrets)


def is_signed(header: str, secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> bool:
    """True when one of the header's signatures is ours. Never raises on what a stranger sends."""
    expected = sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body).encode()
    return any(hmac.compare_digest(one.encode("utf-8", "replace"), expected) for one in header.split(" "))
