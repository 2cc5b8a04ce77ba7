"""Ids in the paths of pages: `lead_01j...`, as everywhere outside."""

from __future__ import annotations

from uuid import UUID

from django.urls import register_converter

from core.ids import ALPHABET, ENCODED_LENGTH, decode, encode


class PublicId:
    """A path part like `src_01j...`, given to the view as a UUID."""

    prefix: str
    regex: str

    def to_python(self, value: str) -> UUID:
        decoded = decode(self.prefix, value)
        if decoded is None:
            raise ValueError
        return decoded

    def to_url(self, value: UUID | str) -> str:
        return value if isinstance(value, str) else encode(self.prefix, value)


def register(*prefixes: str) -> None:
    """Make `<src:source_id>` and its like known to URL patterns."""
    for prefix in prefixes:
        names = {"prefix": prefix, "regex": f"{prefix}_[{ALPHABET}]{{{ENCODED_LENGTH}}}"}
        register_converter(type(f"{prefix.title()}Id", (PublicId,), names), prefix)


register(
    "src",
    "lead",
    "conv",
    "msg",
    "mail",
    "dlv",
    "call",
    "job",
    "tok",
    "mem",
    "wh",
    "cf",
    "opt",
    "file",
    "bulk",
    "view",
    "saved",
)
