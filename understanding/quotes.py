"""Tell what a person wrote from what they quote and sign with."""

from __future__ import annotations

import re

_WROTE = re.compile(
    r"^(?:on|am|le|el|il|op|em)\b.{5,300}(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu).{0,40}:\s*$",
    re.IGNORECASE,
)
_QUOTE_HEADS = re.compile(
    r"^(?:"
    r">|"
    r"-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original)\b.*|"
    r"_{10,}$|"
    r"(?:from|von|de|da|van) ?: .*@.*$"
    r")",
    re.IGNORECASE,
)
_SIGNATURE_HEADS = re.compile(
    r"^(?:-- ?|sent from my .{2,40}|get outlook for .{2,20}|von meinem .{2,30} gesendet)$", re.IGNORECASE
)


def split_reply(text: str) -> tuple[str, str]:
    """Split a mail into what the person wrote, and the quotes and signature.

    Where nothing is left but quotes, all of it is what they wrote: a mail that says something is never empty.
    """
    lines = text.strip("\n").split("\n")
    head = next((index for index in range(len(lines)) if _is_head(lines, index)), len(lines))
    own, quoted_text = lines[:head], lines[head:]
    if any(line.startswith(">") for line in quoted_text):
        below = _below_the_quotes(quoted_text)
        own += below
        written_below = frozenset(below)
        quoted_text = [line for line in quoted_text if line not in written_below or not line.strip()]
    written = "\n".join(own).strip()
    return (written, "\n".join(quoted_text).strip()) if written else (text.strip(), "")


def _is_head(lines: list[str], index: int) -> bool:
    """True where quotes or a signature begin."""
    line = lines[index].strip()
    # Gmail breaks its line before "wrote:" when it is long.
    joined = f"{line} {lines[index + 1].strip()}" if index + 1 < len(lines) else line
    return bool(
        _QUOTE_HEADS.match(line)
        or _SIGNATURE_HEADS.match(lines[index].rstrip("\r"))
        or _WROTE.match(line)
        or _WROTE.match(joined)
    )


def _below_the_quotes(quoted_text: list[str]) -> list[str]:
    """The lines that somebody wrote between and below lines that are marked as quoted, up to a signature."""
    below: list[str] = []
    first = next(index for index, line in enumerate(quoted_text) if line.startswith(">"))
    rest = quoted_text[first:]
    for index, line in enumerate(rest):
        if _SIGNATURE_HEADS.match(line.rstrip("\r")):
            break
        if not line.startswith(">") and not _is_head(rest, index) and not _ends_a_head(rest, index):
            below.append(line)
    return below if any(line.strip() for line in below) else []


def _ends_a_head(lines: list[str], index: int) -> bool:
    return (
        index > 0
        and not _WROTE.match(lines[index].strip())
        and bool(_WROTE.match(f"{lines[index - 1].strip()} {lines[index].strip()}"))
    )
