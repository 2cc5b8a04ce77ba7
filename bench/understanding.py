"""What is understood of real mails and answers, in counts, and how long it takes.

    python -m bench.understanding [FOLDER]

FOLDER holds mails.jsonl, reply_cases.jsonl and intent_crowd.jsonl; without it, the shared cases beside the checkout.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.mime.html import safe_html
from core.mime.text import words_of_html
from messaging.email.reading import Mail, read
from supervisor.stack import ROOT
from tests.understanding.test_mail_text import comes_out
from understanding.intent import Label, Written, classify
from understanding.quotes import split_reply

ENDS = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n"}
UPSTREAMS_OWN = re.compile(r"[45]\.0\.9\d\d")  # codes of mails that name none
HOSTILE = {
    "rules": "--\n" * 16_000 + "t",
    "a rule": "-" * 50_000 + "x",
    "lines": "a\n" * 25_000,
    "quotes": ">\n" * 25_000 + "t",
    "beginnings": "On 1\n" * 10_000,
    "wrote": "2020 wrote" * 5_000 + ":",
    "equal signs": "> a\n" + "=" * 49_000 + " x\n> b",
    "addresses": "a@b.c " * 8_000 + "wrote",
    "everything": "t\n-- \n>q\nOn 2020 x wrote:\n" * 1_500,
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def kind_of(mail: Mail) -> str:
    return mail.report.kind.value if mail.report else "automatic" if mail.is_automatic else "human"


def mails(folder: Path) -> None:
    rows = rows_of(folder / "mails.jsonl")
    for name, ends in ENDS.items():
        counts = Counter((row["label"], kind_of(read(_raw(folder, row, ends)))) for row in rows)
        for (label, kind), count in sorted(counts.items()):
            print(f"mails {name:4} {label:17} {kind:13} {count:4}")
    bounces = [row for row in rows if row["label"] == "bounce" and (row.get("expect") or {}).get("status")]
    named = [row for row in bounces if not all(map(UPSTREAMS_OWN.fullmatch, row["expect"]["status"]))]
    reports = {row["id"]: read(_raw(folder, row, b"\n")).report for row in bounces}
    status = sum(bool((report := reports[row["id"]]) and report.status in row["expect"]["status"]) for row in named)
    hard = sum(bool((report := reports[row["id"]]) and report.is_hard in row["expect"]["hard"]) for row in bounces)
    print(
        f"status {status} of {len(named)} ({status / len(named):.0%}), hard or soft {hard} of {len(bounces)} ({hard / len(bounces):.0%})"
    )


def _raw(folder: Path, row: dict[str, Any], ends: bytes) -> bytes:
    return (folder / row["file"]).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", ends)


def replies(folder: Path) -> None:
    rows = rows_of(folder / "reply_cases.jsonl")
    texts = [words_of_html(row["input"]) if row["format"] == "html" else row["input"] for row in rows]
    said = [split_reply(text)[0] for text in texts]
    right = sum(comes_out(row, reply) for row, reply in zip(rows, said, strict=True))
    empty = sum(bool(text.strip()) and not reply for text, reply in zip(texts, said, strict=True))
    print(f"replies {right} of {len(rows)} ({right / len(rows):.0%}), empty {empty}")


def intents(folder: Path) -> None:
    rows = rows_of(folder / "intent_crowd.jsonl")
    said = [classify(_written(row)).label for row in rows]
    single = [(row, label) for row, label in zip(rows, said, strict=True) if len(row["accept"]) == 1]
    right = sum(label in row["accept"] for row, label in single)
    asked = [label for row, label in single if row["label"] == Label.UNSUBSCRIBE]
    print(
        f"intent {right} of {len(single)} ({right / len(single):.0%}), unsubscribe {asked.count(Label.UNSUBSCRIBE)} of {len(asked)}"
    )
    took = sorted(_milliseconds(partial(classify, _written(row))) for row in rows for _ in range(10))
    print(f"intent p50 {took[len(took) // 2]:.2f} ms, p99 {took[len(took) * 99 // 100]:.2f} ms")


def _written(row: dict[str, Any]) -> Written:
    return Written(row["text"], row.get("subject") or "", (row.get("headers") or {}).get("From", ""))


def hostile() -> None:
    for name, html in {"nested": "<div>" * 100_000, "unclosed": "<p><b>" * 80_000}.items():
        print(f"hostile {name:12} clean {_milliseconds(partial(safe_html, html)):6.0f} ms")
    for name, text in HOSTILE.items():
        took = [_milliseconds(partial(split_reply, text)), _milliseconds(partial(classify, Written(text)))]
        print(f"hostile {name:12} split {took[0]:6.0f} ms, intent {took[1]:6.0f} ms")


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "dev"
    if not (folder / "mails.jsonl").exists():
        raise SystemExit(f"There are no cases in {folder}: name the folder that holds mails.jsonl.")
    mails(folder)
    replies(folder)
    intents(folder)
    hostile()


if __name__ == "__main__":
    main()
