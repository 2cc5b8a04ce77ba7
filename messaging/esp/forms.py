"""Forms with whole mails in them, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from urllib.parse import unquote_to_bytes

from messaging.call_parts import ProviderCall
from messaging.failures import NotUnderstood

FIELDS_MAX = 1_000
HEAD_MAX = 8_192  # bytes of what stands before a field's content


def form_fields(call: ProviderCall, *names: str) -> dict[str, bytes]:
    """Return some fields of a form, however long they are (RFC 7578).

    Django decodes fields, and takes short ones only: a whole mail is neither text nor short. Raise NotUnderstood for a
    field that comes twice: whoever wrote the mail may have written one of them.
    """
    fields: dict[str, bytes] = {}
    for name, content in _fields(call):
        if name in names:
            if name in fields:
                raise NotUnderstood(f"The field {name} comes twice.")
            fields[name] = content
    return fields


def _fields(call: ProviderCall) -> Iterator[tuple[str, bytes]]:
    head = message_from_bytes(f"Content-Type: {call.content_type}\n\n".encode("latin-1", "replace"))
    if head.get_content_type() != "multipart/form-data":
        return _of_a_short_form(call.body)
    return _of_a_long_form(call.body, head.get_boundary("") or "")


def _of_a_long_form(body: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    if not boundary:
        raise NotUnderstood("The form has no boundary.")
    # A line that only begins like it is not the boundary.
    line = re.compile(rb"\r\n--" + re.escape(boundary.encode("latin-1", "replace")) + rb"(?:--)?[ \t]*(?=\r\n|$)")
    parts = line.split(b"\r\n" + body, FIELDS_MAX + 1)
    if len(parts) > FIELDS_MAX + 1:
        raise NotUnderstood(f"The form has more than {FIELDS_MAX:,} fields.")
    for part in parts[1:]:
        end = part.find(b"\r\n\r\n", 0, HEAD_MAX)
        if end >= 0:
            name = message_from_bytes(part[:end].lstrip()).get_param("name", header="content-disposition")
            yield str(name), part[end + 4 :]


def _of_a_short_form(body: bytes) -> Iterator[tuple[str, bytes]]:
    pairs = body.split(b"&", FIELDS_MAX + 1)
    if len(pairs) > FIELDS_MAX + 1:
        raise NotUnderstood(f"The form has more than {FIELDS_MAX:,} fields.")
    for pair in pairs:
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        yield unquote_to_bytes(name).decode("latin-1"), unquote_to_bytes(value)
