"""Custom headers, which a receiver may want in addition to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADERS_MAX = 20
NAME_MAX, VALUE_MAX = 100, 2_000  # characters
# RFC 9110, 5.6.2 and 5.5: what a name and a value may consist of.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# What says how the message is framed, where it goes or who signed it is ours.
RESERVED = {
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie", "date", "expect",
    "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent", "via", "x-secret-key",
}  # fmt: skip


def header_errors(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with each header that cannot be sent, by its name; of too many, under ""."""
    errors = {} if len(headers) <= HEADERS_MAX else {"": f"At most {HEADERS_MAX} headers."}
    seen: set[str] = set()
    for name, value in headers.items():
        folded = name.lower()
        if len(name) > NAME_MAX or not _NAME.fullmatch(name):
            errors[name] = f"“{name[:NAME_MAX]}” is not the name of a header."
        elif folded in RESERVED or folded.startswith("webhook-"):
            errors[name] = f"{name} is set by Leadwire itself."
        elif folded in seen:
            errors[name] = f"{name} is there twice."
        elif len(value) > VALUE_MAX or not _VALUE.fullmatch(value):
            errors[name] = f"The value of {name} has 1 to {VALUE_MAX} visible ASCII characters, blanks inside."
        seen.add(folded)
    return errors
