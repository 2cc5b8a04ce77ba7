"""What the OpenAPI document says beyond what the views say themselves."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from config.schema_examples import EXAMPLES
from integrations.event_samples import sample_of
from integrations.event_types import SUBSCRIBABLE
from integrations.problem_codes import CODES
from integrations.problems import TITLES

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` names each bad field.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CODES)},
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
    "410": "It was there and is no longer kept.",
    "429": "Too many calls (`rateLimit.exceeded`); see Retry-After.",
    "503": "The database is not available right now; see Retry-After.",
}
ON_WRITE = {
    "409": "The state does not allow it.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "It could never be delivered, or the Idempotency-Key was used with another body or query.",
}


class Schema(AutoSchema):
    """Adds what our operations know of themselves: the scope that a token needs, and whether they go away."""

    def get_description(self) -> str:  # type: ignore[override]
        """The operation's own words, else its view's, never those of a base class."""
        words = getattr(self.view, self.method.lower()).__doc__ or type(self.view).__dict__.get("__doc__")
        return " ".join((words or "").split())

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        scope = getattr(self.view, "scopes", {}).get(self.method)
        if scope:
            operation["x-scope"] = scope
            operation["security"] = [{"key": [scope]}]
            words = operation.get("description", "")
            operation["description"] = f"{words}\n\nScope: `{scope}`.".strip()
        if getattr(self.view, "deprecation", None):
            operation["deprecated"] = True
        return operation


def describe_webhooks() -> dict[str, Any]:
    """The requests that we make to receivers (OpenAPI 3.1, `webhooks`)."""
    told = {}
    for event_type in SUBSCRIBABLE:
        media = {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookEvent"},
                                      "example": sample_of(event_type)}}  # fmt: skip
        told[event_type.value] = {
            "post": {
                "operationId": f"on_{event_type.value.replace('.', '_')}",
                "summary": str(event_type.label),
                "requestBody": {"required": True, "content": media},
                "responses": {"2XX": {"description": "Taken. Anything else is tried again: see docs/webhooks.md."}},
            }
        }
    return told


WEBHOOK_EVENT = {
    "type": "object",
    "required": ["type", "timestamp", "id", "sequence", "data"],
    "properties": {
        "type": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "id": {"type": "string", "description": "The same over all attempts."},
        "sequence": {"type": "integer", "description": "Of the conversation: sort by it."},
        "data": {"type": "object"},
    },
}


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problems that every operation may answer with, and 401, which has no body."""
    result["components"]["schemas"] |= {"Problem": PROBLEM, "WebhookEvent": WEBHOOK_EVENT}
    result["webhooks"] = describe_webhooks()
    for path in result["paths"].values():
        for method, operation in path.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            answers = operation["responses"]
            answers.setdefault("401", {"description": "The key is missing, malformed, unknown or ended."})
            for status, words in (EVERYWHERE | (ON_WRITE if method in ("post", "patch", "delete") else {})).items():
                answers.setdefault(status, {"description": words, "content": _problem_of(int(status))})
    return result


# A code that operations often answer with, for each status.
COMMON = {400: "request.invalid", 403: "token.scopeMissing", 404: "lead.notFound", 409: "idempotency.inFlight",
          410: "event.gone", 413: "request.tooLarge", 415: "request.unsupportedMediaType", 422: "idempotency.mismatch",
          429: "rateLimit.exceeded", 503: "service.unavailable"}  # fmt: skip


def _problem_of(status: int) -> dict[str, Any]:
    """The content of a refusal, with an example."""
    code = COMMON[status]
    example = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": CODES[code],
        "code": code,
        "request_id": EXAMPLES["request_id"],
        **({"errors": EXAMPLES["errors"]} if status == 400 else {}),
    }
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
