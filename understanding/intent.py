"""Classify replies: interested, not interested, out of office, bounce, unsubscribe, or none of these."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from understanding.phrases import Phrases, languages, normalized


class Label(StrEnum):
    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    OUT_OF_OFFICE = "out_of_office"
    BOUNCE = "bounce"
    UNSUBSCRIBE = "unsubscribe"
    NONE = "none"


class Verdict(NamedTuple):
    """What a message means, and why we think so."""

    label: Label
    confidence: float  # 0 to 1
    by: str  # "structure" or "rule"
    why: str  # the header, or the words that counted


class Written(NamedTuple):
    """A message as it is judged."""

    text: str  # what the person wrote, without quotes and signature
    subject: str = ""
    sender: str = ""  # as the From header says it
    is_automatic: bool = False  # by its headers


CERTAIN, BY_SUBJECT, BY_PHRASE, BY_NOTHING = 0.99, 0.9, 0.8, 0.5
_MAILER = re.compile(r"mailer-daemon|postmaster|mail delivery", re.IGNORECASE)
_CAME_BACK = re.compile(
    r"undeliver|delivery (?:status|failed|failure|incomplete|to )|returned mail|failure notice|mail delivery"
    r"|rejected|mailbox",
    re.IGNORECASE,
)
# A person who never wants to hear from us again is more than one who is not interested, and both say so with words that
# the next would take for interest.
_ORDER = (Label.UNSUBSCRIBE, Label.OUT_OF_OFFICE, Label.NOT_INTERESTED, Label.INTERESTED)


def classify(message: Written) -> Verdict:
    """Judge a message by its structure first, then by its subject, then by its words."""
    if _MAILER.search(message.sender) and _CAME_BACK.search(f"{message.subject}\n{message.text}"):
        return Verdict(Label.BOUNCE, BY_SUBJECT, "structure", message.sender)
    subject, text = normalized(message.subject), normalized(without_quotes(message.text))
    if away := _subject_match(subject):
        return Verdict(Label.OUT_OF_OFFICE, CERTAIN if message.is_automatic else BY_SUBJECT, "rule", away)
    if word := _whole_message(text):
        return Verdict(Label.UNSUBSCRIBE, CERTAIN, "rule", word)
    labels = (Label.OUT_OF_OFFICE,) if message.is_automatic else _ORDER
    for label in labels:
        if words := _phrase_match(text, label):
            return Verdict(label, BY_PHRASE, "rule", words)
    return Verdict(Label.NONE, BY_NOTHING, "rule", "")


def without_quotes(text: str) -> str:
    """Leave out the lines that somebody quotes to answer below them."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(">"))


def _subject_match(subject: str) -> str:
    for phrases in _phrases(Label.OUT_OF_OFFICE):
        if phrases.subject and (match := phrases.subject.match(subject)):
            return match[0]
    return ""


def stop_word(text: str) -> str:
    """Return the word by which somebody wants no more messages, where it is the whole message; else ""."""
    return _whole_message(normalized(text))


def _whole_message(text: str) -> str:
    bare = " ".join(text.strip(" .!,;:?\n\t\"'।。！").split())
    return bare if any(bare in phrases.words for phrases in _phrases(Label.UNSUBSCRIBE)) else ""


def _phrase_match(text: str, label: Label) -> str:
    for phrases in _phrases(label):
        match = phrases.strong and phrases.strong.search(text)
        if match and not (phrases.negated and phrases.negated.search(text)):
            return match[0].strip()
    return ""


def _phrases(label: Label) -> list[Phrases]:
    return [meanings[label] for meanings in languages().values() if label in meanings]
