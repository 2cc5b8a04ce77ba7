"""Twilio's signature of its calls: https://www.twilio.com/docs/usage/security#validating-requests"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit, urlunsplit

PORTS = {"https": 443, "http": 80}


def sign(url: str, parameters: Iterable[tuple[str, str]], auth_token: str) -> str:
    """Return the signature of a form call: HMAC-SHA1 over the URL as called and each parameter, sorted by name.

    Of a name that comes several times each value counts once, in the order of the values.
    """
    text = url + "".join(name + value for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def is_signed(url: str, parameters: Iterable[tuple[str, str]], signature: str, auth_token: str) -> bool:
    """True when the signature is Twilio's. What is not ASCII is compared as bytes, and is never right."""
    parameters, given = list(parameters), signature.encode("utf-8", "replace")
    tries = (sign(spelling, parameters, auth_token).encode() for spelling in _spellings(url))
    return any(hmac.compare_digest(expected, given) for expected in tries)


def is_signed_body(url: str, body: bytes, signature: str, auth_token: str) -> bool:
    """The same for a call with a body that is no form: the URL carries the body's SHA-256."""
    digest = dict(parse_qsl(urlsplit(url).query)).get("bodySHA256", "").encode()
    is_whole = hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), digest)
    return is_signed(url, (), signature, auth_token) and is_whole


def _spellings(url: str) -> Iterator[str]:
    """The URL with and without its port, and with both spellings of a quote: Twilio signs any of these."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or PORTS.get(parts.scheme, 0)
    for place in {host, f"{host}:{port}", parts.netloc}:
        spelling = urlunsplit(parts._replace(netloc=place))
        yield spelling
        if "'" in spelling or "%27" in spelling:
            yield spelling.replace("%27", "'")
            yield spelling.replace("'", "%27")
