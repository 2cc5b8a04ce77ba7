"""Text: what the database can store, and values written as lines."""

from __future__ import annotations

from typing import Any


def list_data(data: dict[str, Any]) -> str:
    """Write extra fields as lines that people read."""
    return "\n".join(f"{name}: {as_text(value)}" for name, value in data.items())


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(as_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {as_text(inner)}" for name, inner in value.items())
    return "" if value is None else str(value)


def text_problem(text: str) -> str:
    """Return why PostgreSQL could not store a text, or ""."""
    if "\x00" in text:
        return "The character NUL cannot be stored. Remove it."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "The text contains an unpaired surrogate. Send valid Unicode."
    return ""


def pointer_part(name: object) -> str:
    """One part of a JSON Pointer (RFC 6901, 3)."""
    return str(name).replace("~", "~0").replace("/", "~1")
