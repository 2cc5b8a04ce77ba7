"""Forms with whole mails in them, byte for byte."""

from __future__ import annotations

from email import message_from_bytes
from urllib.parse import parse_qsl

from messaging.call_parts import ProviderCall

FIELDS_MAX = 1_000


def form_fields(call: ProviderCall) -> dict[str, bytes]:
    """Return the fields of a form, the first of each name, however long they are (RFC 7578).

    Django decodes fields, and takes short ones only: a whole mail is neither text nor short.
    """
    head = message_from_bytes(f"Content-Type: {call.content_type}\n\n".encode("latin-1", "replace"))
    if head.get_content_type() != "multipart/form-data":
        return _of_a_short_form(call.body)
    boundary = head.get_boundary("")
    fields: dict[str, bytes] = {}
    if not boundary:
        return fields
    parts = (b"\r\n" + call.body).split(b"\r\n--" + boundary.encode("latin-1", "replace"), FIELDS_MAX)
    for part in parts[1:]:
        lines, separator, content = part.partition(b"\r\n\r\n")
        name = message_from_bytes(lines.lstrip()).get_param("name", header="content-disposition")
        if separator and isinstance(name, str):
            fields.setdefault(name, content)
    return fields


def _of_a_short_form(body: bytes) -> dict[str, bytes]:
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return {name.decode("latin-1"): value for name, value in reversed(pairs)}
