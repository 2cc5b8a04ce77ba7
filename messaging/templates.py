"""The variables of message templates: {{1}}, {{2}} or {{name}}."""

from __future__ import annotations

import re

VARIABLE = re.compile(r"\{\{\s*(\w{1,60})\s*\}\}")


def variables_of(body: str) -> list[str]:
    """Return the names of a body's variables, each once, in the order in which they are given to the provider."""
    names = list(dict.fromkeys(VARIABLE.findall(body)))
    return sorted(names, key=int) if names and all(name.isascii() and name.isdigit() for name in names) else names


def fill(body: str, values: list[str]) -> str:
    """Return the text that the lead reads. Raise ValueError when there are more or fewer values than variables."""
    filled = dict(zip(variables_of(body), values, strict=True))
    return VARIABLE.sub(lambda match: filled[match[1]], body)


def named(body: str) -> list[str]:
    """Return the names of a body's variables where they have names, else nothing: then they are numbered."""
    names = variables_of(body)
    return [] if all(name.isdigit() for name in names) else names
