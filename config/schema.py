"""What the OpenAPI document says beyond what the views say themselves."""

from __future__ import annotations

from typing import Any

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` names each bad field.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["lead.notFound", "request.invalid"]},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "header": {"type": "string"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}
EVERYWHERE = {
    "400": "A field, parameter or header is not valid (`request.invalid`).",
    "403": "The card is off, or the token's scope is missing.",
    "404": "There is no such thing, or it is somebody else's.",
    "429": "Too many calls (`rateLimit.exceeded`); see Retry-After.",
    "503": "The database is not available right now; see Retry-After.",
}
ON_WRITE = {
    "409": "The state does not allow it.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "It could never be delivered, or the Idempotency-Key was used with another body.",
}


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problems that every operation may answer with, and 401, which has no body."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for method, operation in path.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            answers = operation["responses"]
            answers.setdefault("401", {"description": "The key is missing, malformed, unknown or ended."})
            for status, words in (EVERYWHERE | (ON_WRITE if method in ("post", "patch", "delete") else {})).items():
                answers.setdefault(status, {"description": words, "content": content})
    return result
