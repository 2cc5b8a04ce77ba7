"""Standard Webhooks signatures (https://www.standardwebhooks.com, version 1.0.0): `v1` and `v1a`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


def sign(secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature over `id.timestamp.body`: `v1,...` with a `whsec_`, `v1a,...` with a `whsk_`.

    Raise ValueError when the secret is not base64.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    if secret.startswith(PRIVATE):
        return "v1a," + base64.b64encode(_private_key(secret).sign(signed)).decode()
    return "v1," + base64.b64encode(hmac.new(_decoded(secret, SHARED), signed, hashlib.sha256).digest()).decode()


def public_key(secret: str) -> str:
    """Return the `whpk_` that belongs to a `whsk_`: 32 bytes of Ed25519 (RFC 8032) in base64."""
    return PUBLIC + base64.b64encode(_private_key(secret).public_key().public_bytes_raw()).decode()


def _private_key(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_decoded(secret, PRIVATE))


def _decoded(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error as error:
        raise ValueError("The signing secret is not base64.") from error


def signature_header(secrets: Iterable[str], *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each secret that is in force."""
    return " ".join(sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body) for secret in secrets)


def is_signed(header: str, secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> bool:
    """True when one of the header's signatures is ours. Never raises on what a stranger sends."""
    expected = sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body).encode()
    return any(hmac.compare_digest(part.encode("utf-8", "replace"), expected) for part in header.split(" "))
