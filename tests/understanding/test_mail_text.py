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
        ("> Which day suits you?\nTuesday.\n> And when?\nAt four.", "Tuesday.\nAt four.", "And when"),
        (
            "Tuesday.\n\nOn Mon, 2 Nov 2026 at 10:00, Northside Plumbing <a@b.example>\nwrote:\n" + QUOTED,
            "Tuesday.",
            "wrote:",
        ),
        (
            "Hello,\n\nOn Mon, Dana wrote:\n> Which day?\nTuesday.\n> Where?\nHere.\n-- \nAva",
            "Hello,\n\nTuesday.\nHere.",
            "Ava",
        ),
        ("Tuesday.\n-- \nAva", "Tuesday.", "Ava"),
    ],
    ids=["above", "below", "between", "a head of two lines", "everywhere", "signature"],
)
def test_an_answer_is_found_above_below_and_between_quotes(text, expected, quoted_text):
    said, rest = split_reply(text)
    assert said == expected
    assert quoted_text in rest
    assert not any(line in rest.split("\n") for line in expected.split("\n") if line)


@pytest.mark.parametrize("text", ["> Only quotes.", "On Mon, 2 Nov 2026, Dana wrote:\n> Which day?", "-- \nAva"])
def test_what_is_nothing_but_quotes_is_kept_whole(text):
    assert split_reply(text) == (text, "")


@pytest.mark.skipif(not CASES.parent.exists(), reason="the shared cases (data/dev) are not beside this checkout")
def test_of_real_replies_none_is_empty():
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    empty = []
    for row in rows:
        text = words_of_html(row["input"]) if row["format"] == "html" else row["input"]
        if text.strip() and not split_reply(text)[0]:
            empty.append(row["id"])
    assert empty == []
