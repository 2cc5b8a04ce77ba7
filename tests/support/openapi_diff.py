"""What of a change would break callers of the API. `python -m tests.openapi_diff` releases the document as it is."""

from __future__ import annotations

import json
from typing import Any

from supervisor.stack import ROOT

RELEASED = ROOT / "docs" / "openapi-released.json"


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Name each: an operation, parameter, field or answer that is gone, or something newly required."""
    found = []
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            now = new["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if now is None:
                found.append(f"{where} is gone")
                continue
            found += [f"{where}: {words}" for words in _operation(operation, now, old, new)]
    return found


def _operation(old: dict[str, Any], new: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = []
    was = {(parameter["in"], parameter["name"]): parameter for parameter in old.get("parameters", [])}
    now = {(parameter["in"], parameter["name"]): parameter for parameter in new.get("parameters", [])}
    found += [f"parameter {name} is gone" for _, name in was.keys() - now.keys()]
    for key, one in now.items():
        if one.get("required") and not was.get(key, {}).get("required"):
            found.append(f"parameter {key[1]} is required now")
    for status in old["responses"].keys() - new["responses"].keys():
        if status.startswith("2"):  # a refusal that it never answered with is no loss
            found.append(f"it no longer answers {status}")
    asked = [_schema(one.get("requestBody"), document) for one, document in ((old, before), (new, after))]
    found += _shape(asked[0], asked[1], before, after, "body", is_input=True)
    for status in old["responses"].keys() & new["responses"].keys():
        told = [_schema(one["responses"][status], document) for one, document in ((old, before), (new, after))]
        found += _shape(told[0], told[1], before, after, status, is_input=False)
    return found


def _schema(holder: dict[str, Any] | None, document: dict[str, Any]) -> dict[str, Any]:
    content = (holder or {}).get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return _resolved(schema, document)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _shape(
    old: dict[str, Any], new: dict[str, Any], before: dict[str, Any], after: dict[str, Any], place: str, *, is_input: bool
) -> list[str]:  # fmt: skip
    old, new = _resolved(old, before), _resolved(new, after)
    found = []
    if old.get("type") != new.get("type") and old.get("type") is not None:
        was, now = ({one} if isinstance(one, str) else set(one or []) for one in (old["type"], new.get("type")))
        if not (was <= now if is_input else now <= was):
            found.append(f"{place} is {sorted(now)} and was {sorted(was)}")
    if is_input and set(old.get("enum", [])) - set(new.get("enum", old.get("enum", []))):
        found.append(f"{place} no longer takes {set(old['enum']) - set(new['enum'])}")
    if is_input:
        missing = set(new.get("required", [])) - set(old.get("required", []))
        found += [f"{place}/{name} is required now" for name in sorted(missing)]
    for name, inner in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            found.append(f"{place}/{name} is gone")
        else:
            found += _shape(inner, new["properties"][name], before, after, f"{place}/{name}", is_input=is_input)
    if "items" in old and "items" in new:
        found += _shape(old["items"], new["items"], before, after, f"{place}[]", is_input=is_input)
    return found


if __name__ == "__main__":
    import django

    django.setup()
    from tests.api.test_openapi import document

    RELEASED.write_text(json.dumps(document(), sort_keys=True, ensure_ascii=False) + "\n")
