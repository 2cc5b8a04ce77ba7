"""Message templates as Meta lists them.

https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates
"""

from __future__ import annotations

from typing import Any

from messaging.base import Template
from messaging.templates import VARIABLE

WITH_FILE = ("IMAGE", "VIDEO", "DOCUMENT", "LOCATION")


def read_templates(answer: dict[str, Any]) -> list[Template]:
    """Return the templates of one page of the list; what has no text in its body is left out."""
    rows = answer.get("data")
    return [template for row in (rows if isinstance(rows, list) else []) if (template := _template(row))]


def _template(row: Any) -> Template | None:
    if not isinstance(row, dict):
        return None
    components = row.get("components")
    parts = [part for part in (components if isinstance(components, list) else []) if isinstance(part, dict)]
    body = next((str(part.get("text", "")) for part in parts if part.get("type") == "BODY"), "")
    name, language = str(row.get("name", "")), str(row.get("language", ""))
    if not body or not name or not language:
        return None
    # We send text in the body alone: a header with a file, or a variable elsewhere, cannot be filled in here.
    others = [part for part in parts if part.get("type") != "BODY"]
    is_simple = not any(VARIABLE.search(str(part)) or part.get("format") in WITH_FILE for part in others)
    return Template(
        name=name[:512],
        language=language[:20],
        category=str(row.get("category", ""))[:40],
        status=str(row.get("status", ""))[:40],
        body=body[:2_000],
        is_sendable=is_simple,
    )
