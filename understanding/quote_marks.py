"""The lines by which mail programs set apart what they quote, in the languages that leads write in."""

from __future__ import annotations

import re

from understanding.mail_words import (
    AUTHOR_HEADERS,
    DATE_HEADERS,
    FORWARDED_MESSAGE,
    ORIGINAL_MESSAGE,
    OTHER_HEADERS,
    SUBJECT_HEADERS,
)
from understanding.mail_words import WROTE as WROTE_WORDS

MARK_MAX = 600  # characters of a line that a program writes


def _any(*words: str) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


# "On Monday, 2 November 2026, Dana wrote:". The verb, and a moment or an address beside it.
_MOMENT = r"\d{1,4}[./\-年]\s?\d{1,2}[./\-月]|\d{1,2}:\d\d|\b(?:19|20)\d\d\b"
_ADDRESS = r"[\w.+\-]+@[\w\-]+\.\w"
WROTE = re.compile(
    rf"^(?=.*(?:{_MOMENT}|{_ADDRESS}|mailto:)).{{3,500}}?(?:\b|\s|\))(?:{_any(*WROTE_WORDS)})(?!\w).{{0,60}}?[:：]\s*(?:>.*)?$",
    re.IGNORECASE,
)
# German and Dutch put the name behind the verb, and some programs leave the colon out.
_WROTE_NAME = re.compile(r"^(?:am|op)\b.{6,60}\d.{0,30}\b(?:schrieb|schreef)\b.{2,200}$", re.IGNORECASE)
# A person writes "as I wrote in 2024:" too: a program begins with the moment, or names an address.
_FROM_A_PROGRAM = re.compile(
    rf"^(?:\S{{2,20}},\s|(?:on|at|am|le|el|il|op|em|den|dne|dnia|w|vào|pe|pada|a|στις|في|ב)\s|\d|.*{_ADDRESS})",
    re.IGNORECASE,
)
# How such a line begins, when the program wraps it.
BEGINS = re.compile(
    r"^(?:on|at|am|le|el|il|op|em|den|dne|dnia|w dniu|vào|pe|pada|a|στις|في|ב|il giorno|"
    r"(?:mon|tue|wed|thu|fri|sat|sun)\w*,?|\d{1,4}[./\-])\b.*\d",
    re.IGNORECASE,
)
_DATE_AND_SENDER = re.compile(rf"^(?:{_MOMENT}).{{0,80}}<\s?{_ADDRESS}[^>]*>:?\s*$")
# What somebody writes and goes on in the line where their program adds its own.
SHARED = re.compile(r"(?<=\S) +(On (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*,? .{6,200} wrote:\s*)$")
_SEPARATOR = re.compile(rf"^[\s*_=\-–—>|]*(?:{_any(*ORIGINAL_MESSAGE)})[\s*_=\-–—<|:]*$", re.IGNORECASE)
FORWARDED = re.compile(rf"^[\s*_=\-–—]*(?:{_any(*FORWARDED_MESSAGE)})[\s*_=\-–—:]*$", re.IGNORECASE)

# "From: ...", "Sent: ...": the head that Outlook copies.
_HEADERS = _any(*AUTHOR_HEADERS, *DATE_HEADERS, *OTHER_HEADERS, *SUBJECT_HEADERS)
HEADER = re.compile(rf"^[\s*_>|]*(?:{_HEADERS})\s?[*_]*\s?[:：]", re.IGNORECASE)
_AUTHOR_THEN_OTHERS = re.compile(
    rf"(?:{_any(*AUTHOR_HEADERS)})[:：].*(?:{_any(*OTHER_HEADERS, *SUBJECT_HEADERS)})[:：]"
    rf"|(?:{_any(*OTHER_HEADERS, *SUBJECT_HEADERS)})[:：].*(?:{_any('from', 'von', 'nadawca', 'od')})[:：]",
    re.IGNORECASE,
)
SUBJECT = re.compile(rf"^[\s*_>|]*(?:{_any(*SUBJECT_HEADERS)})\s?[*_]*\s?[:：]", re.IGNORECASE)
QUOTED = re.compile(r"^\s{0,3}(?:[A-Z]{1,3})?>")
# The rest of an address that the program broke out of a quoted line.
BROKEN_OUT = re.compile(r"^(?:\s*\S*[=_/%&?]\S*\)?|.*\) ?>)\s*$")


def begins_a_quote(line: str) -> bool:
    """Whether a line says that what follows is somebody else's mail."""
    line = line.strip()
    if len(line) > MARK_MAX:
        return False
    return bool(
        (_FROM_A_PROGRAM.match(line) and WROTE.match(line))
        or _WROTE_NAME.match(line)
        or _SEPARATOR.match(line)
        or _DATE_AND_SENDER.match(line)
        or ("@" in line and _AUTHOR_THEN_OTHERS.search(line))
    )
