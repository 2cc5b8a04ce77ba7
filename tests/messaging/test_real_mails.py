"""Real mails of public projects: nobody's words are lost, and machines are not taken for people."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest

from messaging.email.reading import read
from supervisor.stack import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "dev"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the shared mails (data/dev/mails) are not beside this checkout"
)


def cases(*labels: str) -> list[dict]:
    """The cases of these kinds. Without the folder there are none; a folder without its list is a failure."""
    rows = [json.loads(line) for line in (FOLDER / "mails.jsonl").open()] if FOLDER.exists() else []
    return [row for row in rows if row["label"] in labels]


def kind(case: dict) -> str:
    mail = read((FOLDER / case["file"]).read_bytes())
    return "bounce" if mail.is_bounce else "automatic" if mail.is_automatic else "human"


@pytest.mark.parametrize("case", cases("human"), ids=lambda case: case["id"])
def test_a_persons_mail_is_never_taken_for_a_machines(case):
    assert kind(case) == "human"


def words_in(case: dict) -> tuple[set[str], set[str]]:
    """The words of a mail's text by Python's own modern parser, and those that we show or fold away."""
    raw = (FOLDER / case["file"]).read_bytes()
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    said = body.get_content() if body else ""
    mail = read(raw)
    return set(said.split()), set(f"{mail.reply_text} {mail.quoted_text}".split())


@pytest.mark.parametrize("case", cases("human"), ids=lambda case: case["id"])
def test_not_a_word_of_a_person_is_lost(case):
    said, shown = words_in(case)
    assert {word for word in said - shown if word.isalnum()} == set()


def test_nearly_every_bounce_is_recognised_as_a_machines():
    bounces = cases("bounce")
    assert bounces
    as_human = [case["id"] for case in bounces if kind(case) == "human"]
    assert len(as_human) <= len(bounces) * 0.03, as_human


def test_automatic_answers_are_recognised():
    assert [case["id"] for case in cases("out_of_office") if kind(case) == "human"] == []


def test_most_delay_warnings_are_not_taken_for_bounces():
    """Reports say `Action: delayed`; what servers that know no reports write cannot always be told apart."""
    warnings = cases("delay_warning")
    assert warnings
    assert sum(kind(case) == "bounce" for case in warnings) <= len(warnings) / 2
