"""Real mails of public projects: nobody's words are lost, and machines are not taken for people."""

from __future__ import annotations

import json
import re
from collections import Counter
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
    return mail.report.kind.value if mail.report else "automatic" if mail.is_automatic else "human"


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


ENDS = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n"}


def kinds(label: str, ends: bytes = b"\n") -> Counter[str]:
    rows = cases(label)
    assert rows
    counts: Counter[str] = Counter()
    for row in rows:
        raw = (FOLDER / row["file"]).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", ends)
        mail = read(raw)
        counts[mail.report.kind.value if mail.report else "automatic" if mail.is_automatic else "human"] += 1
    return counts


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_what_came_back_is_told_from_what_is_late_arrived_and_annoyed(ends):
    """Eight of the bounces are warnings by their own words (`Action: delayed`); one is the answer of a person away."""
    assert kinds("bounce", ends) == {"bounce": 162, "delay": 8, "automatic": 1}
    assert kinds("delay_warning", ends) == {"delay": 8}
    assert kinds("delivery_success", ends) == {"delivered": 2}
    assert kinds("complaint", ends) == {"complaint": 9}
    assert kinds("out_of_office", ends) == {"automatic": 4}
    assert kinds("human", ends) == {"human": 30}


def test_the_status_and_whether_the_address_is_gone_are_read():
    """Codes like 5.0.9xx are upstream's own, for mails that name none."""
    right = {"status": 0, "is_hard": 0}
    rows = [row for row in cases("bounce") if (row.get("expect") or {}).get("status")]
    named = [row for row in rows if not all(re.fullmatch(r"[45]\.0\.9\d\d", code) for code in row["expect"]["status"])]
    for row in rows:
        told = read((FOLDER / row["file"]).read_bytes()).report
        right["status"] += row in named and told.status in row["expect"]["status"]
        right["is_hard"] += told.is_hard in row["expect"]["hard"]
    assert right["status"] >= len(named) * 0.95
    assert right["is_hard"] >= len(rows) * 0.9
