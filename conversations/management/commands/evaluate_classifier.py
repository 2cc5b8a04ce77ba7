"""How well do rules say what leads mean?

    manage.py evaluate_classifier FILE

FILE has one JSON object in each line: `text` and `label`, and where they are known `subject`, `headers` (an object
with `From`), `lang` and `accept`, the labels that are right too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from understanding.intent import Label, Written, classify

LABELS = [label.value for label in Label]


class Command(BaseCommand):
    help = "Print a confusion matrix, and precision and recall for each label and language."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        pairs = Counter[tuple[str, str, str]]()  # language, what is right, what is said
        for number, line in enumerate(_lines(file), 1):
            row = _row(line, number)
            sender = (row.get("headers") or {}).get("From", "")
            said = classify(Written(row["text"], row.get("subject") or "", sender)).label.value
            right = said if said in row.get("accept", ()) else row["label"]
            pairs[str(row.get("lang") or "?"), right, said] += 1
        if not pairs:
            raise CommandError(f"{file} is empty.")
        self._matrix(pairs)
        self._shares("label", LABELS, pairs)
        for language in sorted({language for language, _, _ in pairs}):
            of_language = Counter({pair: count for pair, count in pairs.items() if pair[0] == language})
            hits = sum(count for (_, right, said), count in of_language.items() if right == said)
            self.stdout.write(f"{language:16} {hits:4} of {of_language.total():4}  {hits / of_language.total():4.0%}")

    def _matrix(self, pairs: Counter[tuple[str, str, str]]) -> None:
        self.stdout.write(f"{'right, said':16}" + "".join(f"{label[:10]:>12}" for label in LABELS))
        for right in LABELS:
            counts = [sum(n for (_, r, s), n in pairs.items() if (r, s) == (right, said)) for said in LABELS]
            self.stdout.write(f"{right:16}" + "".join(f"{count:12}" for count in counts))

    def _shares(self, title: str, labels: Iterable[str], pairs: Counter[tuple[str, str, str]]) -> None:
        self.stdout.write(f"\n{title:16}{'precision':>12}{'recall':>12}{'rows':>8}")
        for label in labels:
            hits = sum(n for (_, right, said), n in pairs.items() if right == said == label)
            said = sum(n for (_, _, said), n in pairs.items() if said == label)
            rows = sum(n for (_, right, _), n in pairs.items() if right == label)
            precision, recall = (f"{hits / whole:.0%}" if whole else "-" for whole in (said, rows))
            self.stdout.write(f"{label:16}{precision:>12}{recall:>12}{rows:8}")
        self.stdout.write("")


def _lines(file: Path) -> Iterable[str]:
    try:
        return [line for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error


def _row(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CommandError(f"Line {number} is not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or row.get("label") not in LABELS:
        raise CommandError(f"Line {number} needs `text`, and a `label` that is one of {', '.join(LABELS)}.")
    return row
