"""Meta's signature of its calls.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
"""

from __future__ import annotations

import hashlib
import hmac


def sign(body: bytes, app_secret: str) -> str:
    """Return X-Hub-Signature-256 of the raw bytes of a call; of JSON that was written again it would be another."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, signature: str, app_secret: str) -> bool:
    return hmac.compare_digest(sign(body, app_secret).encode(), signature.encode("utf-8", "replace"))
