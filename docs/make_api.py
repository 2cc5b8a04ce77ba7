"""Write docs/api.md from the OpenAPI document: python -m docs.make_api."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "api.md"
INTRODUCTION = """# The REST API

This page is made from the OpenAPI document (`/v1/openapi.json`; `/v1/docs` lets you try it with your key). Begin with
the [quickstart](quickstart/README.md).

- **Keys.** `Authorization: Bearer <key>`: a source's secret key (`lwr_`, for replies alone; also as `X-Secret-Key`),
  or an API token of an application (`lwa_`), of a member (`lws_`),
  or an operator's for several organizations (`lwd_`), which names one in `X-On-Behalf-Of`. A missing or unknown key
  is answered by 401 without a body.
- **`X-On-Behalf-Of`** takes the id of an organization, or the id or external id of a source. With a business there, a
  body may name one of its locations, and the lead goes to that location. A source outside what the header names is
  answered by 400.
- **Answers** are JSON. One thing is `{"data": {"<name>": {...}}}`, a list `{"data": {"<names>": [...]}, "meta":
  {"next_cursor": ...}}`: go on with `?cursor=`, up to `limit` 100 at a time. Times are RFC 3339 in UTC.
- **Errors** are `application/problem+json` with a stable `code` and the `request_id`; `errors` names each bad field
  with a JSON Pointer. What belongs to somebody else reads like what is not there. Unknown fields and parameters are
  refused, so that a typo is not silence. Every operation may answer 400, 403, 404, 405, 406, 429 and 503, and with a
  body 408, 413 and 415. The codes that stand with an operation are those that it has beyond these.
- **Idempotency-Key**: on every POST. The same key and body within 24 hours is answered with the first answer and
  `Idempotency-Replayed: true`; nothing is done twice.
- **Limits**: 100 calls a minute and 3,000 an hour for each card, member or application, unless the operator says
  otherwise. `RateLimit` and `RateLimit-Policy` stand on every answer, `Retry-After` on 429.
- Webhooks are in [webhooks.md](webhooks.md), what happens to old versions in [versioning.md](versioning.md).
"""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    PAGE.write_text(page())


def page() -> str:
    """Return the page as it should be."""
    from drf_spectacular.generators import SchemaGenerator

    from api.problem_codes import CODES

    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document = json.loads(json.dumps(generated, default=str))
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(method.upper(), path, operation, document)
            by_tag.setdefault(operation["tags"][0], []).append(shown)
    parts = [INTRODUCTION]
    for tag, operations in by_tag.items():
        parts += [f"## {tag}\n", *operations]
    parts.append("## Codes\n\n| code | status | meaning |\n|---|---|---|")
    parts += [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in sorted(CODES.items())]
    return "\n".join(parts) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    lines = [f"### `{method} {path}`\n"]
    description = operation.get("description", "").replace("\n\n", " ").strip()
    if description:
        lines.append(f"{description}\n")
    asked = [parameter for parameter in operation.get("parameters", []) if parameter["in"] != "path"]
    if asked:
        names = ", ".join(
            f"`{parameter['name']}`{' (required)' if parameter.get('required') else ''}" for parameter in asked
        )
        lines.append(f"Parameters: {names}.\n")
    if body := _body(operation, document):
        lines.append(f"Body: {body}.\n")
    good = [status for status in operation["responses"] if status.startswith("2")]
    refusals = ", ".join(f"`{code}`" for code in _own_codes(operation))
    lines.append(f"Answers {', '.join(good)}{f'; refuses with {refusals}' if refusals else ''}.\n")
    return "\n".join(lines)


def _own_codes(operation: dict[str, Any]) -> list[str]:
    """The codes that an operation refuses with, beyond those that many have."""
    from api.refusals import ALWAYS, WITH_BODY, WITH_IDEMPOTENCY_KEY

    contents = [answer.get("content", {}) for answer in operation["responses"].values()]
    problems = [content["application/problem+json"] for content in contents if "application/problem+json" in content]
    codes = {code for problem in problems for code in problem["schema"]["allOf"][1]["properties"]["code"]["enum"]}
    return sorted(codes - ALWAYS - WITH_BODY - WITH_IDEMPOTENCY_KEY)


def _body(operation: dict[str, Any], document: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if not schema.get("properties"):
        return f"a file ({', '.join(content)})" if content and schema.get("type") != "object" else ""
    required = schema.get("required", [])
    return ", ".join(f"`{name}`" + (" (required)" if name in required else "") for name in schema["properties"])


if __name__ == "__main__":
    main()
