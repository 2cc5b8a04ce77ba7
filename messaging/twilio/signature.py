"""Twilio's signature of its calls: https://www.twilio.com/docs/usage/security#validating-requests"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def sign(url: str, parameters: Iterable[tuple[str, str]], auth_token: str) -> str:
    """Return the signature of a form call: HMAC-SHA1 over the URL as called and each parameter, sorted by name.

    Of a name that comes several times each value counts once, in the order of the values.
    """
    text = url + "".join(name + value for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def is_signed(url: str, parameters: Iterable[tuple[str, str]], signature: str, auth_token: str) -> bool:
    """True when the signature is Twilio's. What is not ASCII is compared as bytes, and is never right."""
    return hmac.compare_digest(sign(url, parameters, auth_token).encode(), signature.encode("utf-8", "replace"))
