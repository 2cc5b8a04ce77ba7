"""What people write, by language and by what they mean: one TOML file for each language.

A phrase is a regular expression over lower-case words without accents. A space is a gap between two words of one
sentence, `~` stands for up to four words (in Japanese twelve characters), `^` and `$` for the beginning and the end.
`strong` phrases mean it wherever they stand, `word` only as the whole message, `not` takes both back.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
TEXT_MAX = 2_000  # characters that are looked at: what people mean they say at the beginning
_SPACE = re.compile(r"\[[^\]]*\]| ")  # those in a set of characters stay what they are
_ACCENTS = re.compile("[\u0300-\u036f]")
_GAP, _ANY_WORDS = r"[^\w.!?\n]+", r"(?:[^\w.!?\n]+\w+){0,4}?"
# Python's \w leaves out the vowel signs of Devanagari.
_HINDI_GAP, _HINDI_WORDS = r"[\s,]+", r"(?:[\s,]+[^\s.!?।]+){0,4}?"


def normalized(text: str) -> str:
    """Return a text as phrases see it: lower case, without accents on Latin letters, on one line."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text[:TEXT_MAX].casefold()))
    return re.sub(r"[ \t]+", " ", plain.replace("’", "'").replace("‘", "'")).strip()


@dataclass(frozen=True)
class Phrases:
    """The phrases of one meaning in one language."""

    strong: re.Pattern[str] | None
    subject: re.Pattern[str] | None
    words: frozenset[str]
    negated: re.Pattern[str] | None


@cache
def languages() -> dict[str, dict[str, Phrases]]:
    """Return language -> meaning -> phrases."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def _read(path: Path) -> dict[str, Phrases]:
    language = path.stem
    return {
        label: Phrases(
            strong=_pattern(values.get("strong", []), language),
            subject=_pattern(values.get("subject", []), language),
            words=frozenset(normalized(word) for word in values.get("word", [])),
            negated=_pattern(values.get("not", []), language),
        )
        for label, values in tomllib.loads(path.read_text()).items()
    }


def _pattern(phrases: list[str], language: str) -> re.Pattern[str] | None:
    return re.compile("|".join(_expression(normalized(phrase), language) for phrase in phrases)) if phrases else None


def _expression(phrase: str, language: str) -> str:
    if language == "ja":
        return f"(?:{phrase.replace('~', '.{0,12}?')})"
    gap, words = (_HINDI_GAP, _HINDI_WORDS) if language == "hi" else (_GAP, _ANY_WORDS)
    letter = r"[^\s.,!?।]" if language == "hi" else r"\w"
    body = phrase.replace("( ~)?", "\0").replace(" ~", "\0")
    body = _SPACE.sub(lambda match: match[0] if match[0] != " " else gap, body).replace("\0", words)
    # A phrase may bring its own beginning and end.
    body = re.sub(r"\$$", r"[\\s\\W]*$", body)
    start = "" if phrase.startswith("^") else f"(?<!{letter})"
    end = "" if phrase.endswith(("$", "]", "]?")) else f"(?!{letter})"
    return f"{start}(?:{body}){end}"
