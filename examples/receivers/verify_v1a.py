"""Verify a v1a webhook of Leadwire: python verify_v1a.py PUBLIC_KEY ID TIMESTAMP SIGNATURE < body"""

import base64
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verify(public_key: str, webhook_id: str, timestamp: str, signature: str, body: bytes) -> bool:
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False  # too old, or a clock is wrong: somebody may be sending an old one again
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    for part in signature.split(" "):
        version, _, given = part.partition(",")
        try:
            if version == "v1a":
                key.verify(base64.b64decode(given), signed)
                return True
        except (InvalidSignature, ValueError):
            continue
    return False


if __name__ == "__main__":
    sys.exit(not verify(*sys.argv[1:5], sys.stdin.buffer.read()))
