"""Verify a webhook of Leadwire: python verify.py SECRET ID TIMESTAMP SIGNATURE < body"""

import base64
import hashlib
import hmac
import sys
import time


def verify(secret: str, webhook_id: str, timestamp: str, signature: str, body: bytes) -> bool:
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False  # too old, or a clock is wrong: somebody may be sending an old one again
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return any(hmac.compare_digest(part.encode(), expected) for part in signature.split(" "))


if __name__ == "__main__":
    sys.exit(not verify(*sys.argv[1:5], sys.stdin.buffer.read()))
