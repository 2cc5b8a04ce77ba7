"""Tell what a person wrote from what they quote and sign with.

Each line gets a letter for what it is, and the rules are patterns over the letters, an idea of Discourse's
email_reply_trimmer. Of 72 real cases mail-parser-reply brought out 34, email-reply-parser 28 and quotequail 16.
"""

from __future__ import annotations

import re
from itertools import islice

from understanding.quote_marks import (
    BEGINS,
    BROKEN_OUT,
    FORWARDED,
    HEADER,
    MARK_MAX,
    QUOTED,
    SHARED,
    SUBJECT,
    begins_a_quote,
)
from understanding.signature_marks import begins_a_signature, is_rule, is_sent_from

TEXT, EMPTY, QUOTE, BEGIN, HEAD, SENT_FROM, RULE = "t", "e", "q", "b", "h", "s", "d"
WRAPPED_MAX = 5  # lines over which a program wraps "On ... wrote:"
SIGNATURE_LINES_MAX = 12
RULES_MAX = 20  # lines of rules that are looked at
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def split_reply(text: str) -> tuple[str, str]:
    """Split a mail into what the person wrote, and the quotes and signature.

    Somebody who answers between the lines that they quote keeps those lines: without them the answers say nothing.
    A forwarded mail is kept: it is what its sender wants to show. Where nothing would be left, all of it is what they
    wrote: a mail that says something is never empty.
    """
    lines = [line for whole in text.strip("\n").split("\n") for line in _unshared(whole.replace("\u00a0", " "))]
    if any(len(line) <= MARK_MAX and FORWARDED.match(line) for line in lines):
        return text.strip(), ""
    kinds = _kinds_of(lines)
    kept = _kept(kinds, lines)
    written = "\n".join(line for line, keeps in zip(lines, kept, strict=True) if keeps).strip()
    folded = "\n".join(line for line, keeps in zip(lines, kept, strict=True) if not keeps).strip()
    is_said = any(keeps and kind in (TEXT, HEAD) for kind, keeps in zip(kinds, kept, strict=True))
    return (written, folded) if is_said else (text.strip(), "")


def _unshared(line: str) -> list[str]:
    shared = SHARED.search(line)
    return [line[: shared.start()], shared[1]] if shared and not line.lstrip().startswith(">") else [line]


def _kinds_of(lines: list[str]) -> str:
    """Return one letter for each line."""
    kinds = [_kind_of(line) for line in lines]
    for start, end in _fences(lines):
        kinds[start : end + 1] = [TEXT] * (end + 1 - start)
    for index in range(len(lines)):
        if kinds[index] == TEXT and (count := _wrapped_begin(lines, index)):
            kinds[index : index + count] = BEGIN * count
    for index in range(1, len(lines) - 1):
        is_between = kinds[index] == TEXT and kinds[index - 1] == kinds[index + 1] == QUOTE
        if is_between and len(lines[index]) <= MARK_MAX and BROKEN_OUT.match(lines[index]):
            kinds[index] = QUOTE
    return "".join(kinds)


def _fences(lines: list[str]) -> list[tuple[int, int]]:
    """Return where code stands between fences: rules and quotes in it are the person's own."""
    marks = [index for index, line in enumerate(lines) if line.lstrip().startswith("```")]
    return list(zip(marks[::2], marks[1::2], strict=False))


def _kind_of(line: str) -> str:
    bare = _INVISIBLE.sub("", line)
    if not bare.strip():
        return EMPTY
    if QUOTED.match(bare):
        return QUOTE
    if begins_a_quote(bare):
        return BEGIN
    if is_rule(bare):
        return RULE
    if is_sent_from(bare):
        return SENT_FROM
    return HEAD if HEADER.match(bare) else TEXT


def _wrapped_begin(lines: list[str], index: int) -> int:
    """Return over how many lines a program wrapped "On ... wrote:" that begins here; 0 when it does not."""
    if not BEGINS.match(lines[index].strip()):
        return 0
    joined = lines[index].strip()
    for count in range(2, min(WRAPPED_MAX, len(lines) - index) + 1):
        joined = f"{joined} {lines[index + count - 1].strip().lstrip('>')}"
        if begins_a_quote(joined):
            return count
    return 0


def _kept(kinds: str, lines: list[str]) -> list[bool]:
    """Say for each line whether the person wrote it."""
    kept = [kind != SENT_FROM for kind in kinds]

    def fold(start: int, end: int | None = None) -> None:
        end = len(kinds) if end is None else end
        kept[start:end] = [False] * (end - start)

    below = _answer_below(kinds)
    if below is not None:
        fold(0, below)
        kinds = QUOTE * below + kinds[below:]
    whole = _whole_mail_between(kinds)
    if whole:
        fold(*whole)
        return kept
    end = _end_of_text(kinds, lines)
    fold(end)
    for index, kind in enumerate(kinds[:end]):
        if kind == BEGIN:
            kept[index] = False
    words_end = len(kinds[:end].rstrip(QUOTE + EMPTY + BEGIN + RULE + SENT_FROM))
    if TEXT in kinds[:words_end]:
        fold(words_end, end)
    return kept


def _answer_below(kinds: str) -> int | None:
    """Return where the answer of somebody begins who quotes a whole mail first and writes below it."""
    match = re.match(r"^[eqs]*b[eb]*(?:q[qe]*)(?=t)", kinds)
    return match.end() if match and QUOTE not in kinds[match.end() :] else None


def _head_of_a_mail(kinds: str, lines: list[str]) -> int:
    """Return where the copied head of a mail begins: two lines of it at least, and an address or a subject among them.

    Without these it may be a lead who lists what they need ("From: Berlin", "To: Munich").
    """
    for match in re.finditer(r"he?h[he]*", kinds):
        head = lines[match.start() : match.end()]
        if TEXT in kinds[: match.start()] and any("@" in line or SUBJECT.match(line) for line in head):
            return match.start()
    return len(kinds)


def _whole_mail_between(kinds: str) -> tuple[int, int] | None:
    """Return where a whole mail stands between somebody's answer and their last words."""
    begin = kinds.find(BEGIN)
    if begin < 0 or TEXT not in kinds[:begin]:
        return None
    match = re.match(r"b[eb]*q[qe]*(?=t[tes]{0,4}$)", kinds[begin:])
    return (begin, begin + match.end()) if match else None


def _end_of_text(kinds: str, lines: list[str]) -> int:
    """Return where the person's words end: at a mail that is quoted, or at a signature."""
    ends = [len(kinds)]
    for match in re.finditer(r"b", kinds):
        # Quoted lines below which somebody goes on are quoted for the sake of the answer.
        goes_on = re.match(r"b[eb]*q[qe]*t", kinds[match.start() :])
        if TEXT in kinds[: match.start()] and not goes_on:
            ends.append(match.start())
            break
    ends.append(_head_of_a_mail(kinds, lines))
    ends.append(_signature(kinds[: min(ends)], lines))
    return min(ends)


def _signature(kinds: str, lines: list[str]) -> int:
    """Return where a signature begins below a line of rules; the end, where there is none."""
    first = kinds.find(TEXT)
    if first < 0:
        return len(kinds)
    for match in islice(re.finditer(RULE, kinds[first:]), RULES_MAX):
        start = first + match.start()
        below = [lines[index] for index in range(start, len(kinds)) if kinds[index] == TEXT]
        if len(below) <= SIGNATURE_LINES_MAX and begins_a_signature(lines[start], below):
            return start
    return len(kinds)
