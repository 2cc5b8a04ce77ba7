"""A migration that an installation may have applied never changes: the change would reach nobody who has it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from supervisor.stack import ROOT

KNOWN = Path(__file__).with_name("migrations.txt")


def digests() -> dict[str, str]:
    paths = sorted(path for path in ROOT.glob("*/migrations/0*.py"))
    return {str(path.relative_to(ROOT)): sha256(path.read_bytes()).hexdigest()[:16] for path in paths}


def test_no_migration_changes_once_it_is_known():
    known = dict(line.split() for line in KNOWN.read_text().splitlines())
    now = digests()
    changed = [name for name, digest in known.items() if now.get(name) != digest]
    assert changed == [], "write a new migration instead"
    assert sorted(now.keys() - known.keys()) == [], f"add its line to {KNOWN.name}"
