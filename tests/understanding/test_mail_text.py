"""What a person wrote is what a message says, wherever their mail program put it."""

from __future__ import annotations

import json

import pytest

from core.mime.text import words_of_html
from messaging.email.reading import read
from supervisor.stack import ROOT
from understanding.quotes import split_reply

CASES = ROOT.parent / "shared" / "data" / "dev" / "reply_cases.jsonl"
HEAD = "From: Ava <ava@x.example>\nSubject: Leaking tap\nMessage-ID: <1@x.example>\nMIME-Version: 1.0\n"


def mail(kind: str, *parts: str) -> bytes:
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f"{HEAD}Content-Type: multipart/{kind}; boundary=b\n\n{body}--b--\n".encode()


def plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\n\n{text}"


def html(text: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\n\n{text}"


def written(raw: bytes) -> str:
    letter = read(raw)
    assert letter
    return " ".join(letter.reply_text.split())


PICTURE = "Content-Type: image/png\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\nAAAA"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (mail("mixed", plain("It leaks."), PICTURE, plain("Please come.")), "It leaks. Please come."),
        (mail("alternative", plain(" "), html("<p>It leaks.</p>")), "It leaks."),
        (mail("alternative", plain("It leaks."), html("<p>It <b>leaks</b>.</p>")), "It leaks."),
        (mail("mixed", plain(""), html("<p>It leaks.</p>")), "It leaks."),
        (mail("alternative", html("<html><head><title>x</title><body><p>It leaks.</p>")), "It leaks."),
        (mail("alternative", html("<style>p {color: red} <p>It leaks.</p>")), "p {color: red} It leaks."),
        (mail("alternative", html("<head><meta charset=utf-8><div>It leaks.</div>")), "It leaks."),
    ],
    ids=[
        "around a picture",
        "beside an empty text",
        "alternatives",
        "an empty part first",
        "open head",
        "open style",
        "no body",
    ],
)
def test_no_words_are_lost_in_the_parts_of_a_mail(raw, expected):
    assert written(raw) == expected


QUOTED = "> Which day suits you?\n> We are there all week."


@pytest.mark.parametrize(
    ("text", "expected", "quoted_text"),
    [
        ("Tuesday.\n\nOn Mon, 2 Nov 2026, Dana wrote:\n" + QUOTED, "Tuesday.", "Which day"),
        ("On Mon, 2 Nov 2026, Dana wrote:\n" + QUOTED + "\n\nTuesday.", "Tuesday.", "Which day"),
        (
            "Tuesday.\n\nOn Mon, 2 Nov 2026 at 10:00, Northside Plumbing <a@b.example>\nwrote:\n" + QUOTED,
            "Tuesday.",
            "wrote:",
        ),
        ("Tuesday.\n\nOn 2 Nov 2026, Dana wrote:\n" + QUOTED + "\n\nBye, Ava", "Tuesday.\n\nBye, Ava", "Which day"),
        ("Tuesday.\n-- \nAva", "Tuesday.", "Ava"),
    ],
    ids=["above", "below", "a head of two lines", "above and below", "signature"],
)
def test_an_answer_is_found_above_below_and_between_quotes(text, expected, quoted_text):
    said, rest = split_reply(text)
    assert said == expected
    assert quoted_text in rest
    assert not any(line in rest.split("\n") for line in expected.split("\n") if line)


@pytest.mark.parametrize(
    "text",
    [
        "> Which day suits you?\nTuesday.\n> And when?\nAt four.",
        "Hello,\n\n> Which day?\nTuesday.\n> Where?\nHere.",
        "Please look at this.\n\n---------- Forwarded message ---------\nFrom: Bo <bo@x.example>\n\nMy tap leaks.",
        "We move.\nFrom: Berlin\nTo: Munich\nDate: 5 May",
        "From: Berlin, to: Munich. As I wrote in 2024:\nit is a big flat.",
        "Three things:\n---\nThe tap in the kitchen has been leaking since the day before yesterday, and it gets worse.",
        "```\n# a comment\n####\n> not a quote\n```\nThat is the log.",
        "Sent you the pictures yesterday, did they arrive?",
    ],
    ids=["between quotes", "a word before", "forwarded", "a list", "one line", "rules between parts", "code", "sent"],
)
def test_words_that_only_look_like_quotes_or_signatures_are_kept(text):
    assert split_reply(text) == (text, "")


@pytest.mark.parametrize("text", ["> Only quotes.", "On Mon, 2 Nov 2026, Dana wrote:\n> Which day?", "-- \nAva"])
def test_what_is_nothing_but_quotes_is_kept_whole(text):
    assert split_reply(text) == (text, "")


@pytest.mark.skipif(not CASES.parent.exists(), reason="the shared cases (data/dev) are not beside this checkout")
def test_of_real_replies_nine_in_ten_come_out_and_none_is_empty():
    """Four of the other six expect HTML, and two that the closing words are cut off, which the rest expect to stay."""
    right, empty = 0, []
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    for row in rows:
        text = words_of_html(row["input"]) if row["format"] == "html" else row["input"]
        reply = split_reply(text)[0]
        right += comes_out(row, reply)
        if text.strip() and not reply:
            empty.append(row["id"])
    assert empty == []
    assert right >= 66


def comes_out(row: dict, reply: str) -> bool:
    """Whether a reply passes the check of its case."""
    words = " ".join(reply.split())
    if row["check"] == "exact":
        return reply == row["expected"].strip()
    if row["check"] == "exact_ws":
        return words == " ".join(row["expected"].split())
    return (
        words.startswith(" ".join((row["startswith"] or "").split()))
        and words.endswith(" ".join((row["endswith"] or "").split()))
        and all(" ".join(part.split()) in words for part in row["must_contain"])
        and not any(" ".join(part.split()) in words for part in row["must_not_contain"])
        and (row["check"] != "prefix_plus" or _is_little_more(reply, row["expected"]))
    )


def _is_little_more(reply: str, expected: str) -> bool:
    start, whole = "".join(expected.split()), "".join(reply.split())
    return whole.startswith(start) and len(whole) - len(start) <= 80
