"""The house: imports go one way, and every page says who may see it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.apps import apps

from integrations.models import Card, Listener

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["core", "accounts", "integrations", "leads", "conversations"]  # each may import those before it
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


def test_a_model_says_all_that_its_interface_asks():
    """Models leave no room for ABC's metaclass, so what is left out would raise NotImplementedError for a user."""
    models = [model for model in apps.get_models() if issubclass(model, Card | Listener)]
    asked = [(model, base, name) for model in models for base in (Card, Listener) for name in _abstract(base)]
    left_out = [(model, name) for model, base, name in asked if getattr(model, name, None) is vars(base)[name]]
    assert len(models) >= 3
    assert len(asked) >= 20
    assert left_out == []


def _abstract(interface: type) -> list[str]:
    """The names of what raises NotImplementedError in a class."""
    functions = {name: getattr(member, "fget", member) for name, member in vars(interface).items()}
    codes = {name: getattr(function, "__code__", None) for name, function in functions.items()}
    return [name for name, code in codes.items() if "NotImplementedError" in getattr(code, "co_names", ())]
