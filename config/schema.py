"""What the OpenAPI document says beyond what the views say themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from api.problem_codes import CODES
from api.refusals import codes_of
from config.schema_examples import EXAMPLES
from core.problems import TITLES
from webhooks.event_samples import sample_of
from webhooks.event_types import SUBSCRIBABLE

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


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How callers show their key, whichever kind it is."""

    target_class = "api.authentication.KeyAuthentication"
    match_subclasses = True
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A source's secret key (`lwr_...`, also as `X-Secret-Key`), or an API token: of an app"
            " (`lwa_...`), of a member (`lws_...`), or an operator's for several organizations (`lwd_...`), which"
            " names one in `X-On-Behalf-Of`.",
        }


class Schema(AutoSchema):
    """Adds what our operations know of themselves: the scope that a token needs, and whether they go away."""

    def get_description(self) -> str:  # type: ignore[override]
        """The operation's own words, else its view's, never those of a base class."""
        description = getattr(self.view, self.method.lower()).__doc__ or type(self.view).__dict__.get("__doc__")
        return " ".join((description or "").split())

    def get_auth(self) -> list[dict[str, list[str]]]:
        """All kinds of keys are shown in the same way, so they are one scheme."""
        first, *_ = self.view.get_authenticators()
        self.view.get_authenticators = lambda: [first]  # type: ignore[method-assign]
        schemes: list[dict[str, list[str]]] = super().get_auth()
        return schemes

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        scope = getattr(self.view, "scopes", {}).get(self.method)
        if scope:
            operation["x-scope"] = scope
            operation["security"] = [{"key": [scope]}]
            description = operation.get("description", "")
            operation["description"] = f"{description}\n\nScope: `{scope}`.".strip()
        if getattr(self.view, "deprecation", None):
            operation["deprecated"] = True
        parameters = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"]
        operation["responses"] |= refused(codes_of(type(self.view), self.method, parameters))
        return operation


def describe_webhooks() -> dict[str, Any]:
    """The requests that we make to receivers (OpenAPI 3.1, `webhooks`)."""
    webhooks = {}
    for event_type in SUBSCRIBABLE:
        media = {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookEvent"},
                                      "example": sample_of(event_type)}}  # fmt: skip
        webhooks[event_type.value] = {
            "post": {
                "operationId": f"on_{event_type.value.replace('.', '_')}",
                "summary": str(event_type.label),
                "requestBody": {"required": True, "content": media},
                "responses": {"2XX": {"description": "Taken. Anything else is tried again: see docs/webhooks.md."}},
            }
        }
    return webhooks


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
    """Add what a refusal looks like, and the requests that we make ourselves."""
    result["components"]["schemas"] |= {"Problem": PROBLEM, "WebhookEvent": WEBHOOK_EVENT}
    result["webhooks"] = describe_webhooks()
    return result


def refused(codes: Iterable[str]) -> dict[str, Any]:
    """The refusals of an operation, by status: which codes it may carry, and what they mean."""
    answers: dict[str, Any] = {"401": {"description": "The key is missing, malformed, unknown or ended. No body."}}
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(CODES[code][0], []).append(code)
    for status, names in sorted(by_status.items()):
        description = " ".join(f"`{name}`: {CODES[name][1]}" for name in names)
        answers[str(status)] = {"description": description, "content": _problem_of(status, names)}
    return answers


def _problem_of(status: int, codes: list[str]) -> dict[str, Any]:
    """The content of a refusal, with an example."""
    example = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": CODES[codes[0]][1],
        "code": codes[0],
        "request_id": EXAMPLES["request_id"],
        **({"errors": EXAMPLES["errors"]} if codes[0] == "request.invalid" else {}),
    }
    these = {"type": "object", "properties": {"code": {"enum": codes}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, these]}
    return {"application/problem+json": {"schema": schema, "example": example}}
