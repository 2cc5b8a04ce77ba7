"""The house: imports go one way, and every page says who may see it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["accounts", "integrations", "leads", "conversations"]  # each may import those before it
ORDER = {name: number for number, name in enumerate([*LAYERS, "config"])}


def imports(path: Path) -> set[str]:
    """The first parts of all modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_those_below_it(layer):
    above = {name for name, number in ORDER.items() if number > ORDER[layer]}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / layer).rglob("*.py")
        for name in imports(path) & above
    ]
    assert wrong == []


def test_nothing_imports_tests_bench_or_examples():
    for layer in [*LAYERS, "config"]:
        for path in (ROOT / layer).rglob("*.py"):
            assert not imports(path) & {"tests", "bench", "examples"}, path


def test_no_lock_names_an_index():
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text()
