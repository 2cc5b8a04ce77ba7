"""Which refusals an operation may answer with: the OpenAPI document names them, and tests hold each answer to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ALWAYS = frozenset({
    "organization.ambiguous", "organization.notFound", "organization.required", "rateLimit.exceeded",
    "rateLimit.guessing", "request.forbidden", "request.invalid", "request.methodNotAllowed", "request.notAcceptable",
    "service.unavailable", "source.notFound", "token.scopeMissing",
})  # fmt: skip
WITH_BODY = frozenset({"request.timeout", "request.tooLarge", "request.unsupportedMediaType"})
WITH_IDEMPOTENCY_KEY = frozenset({"idempotency.inFlight", "idempotency.mismatch", "idempotency.unreadable"})
OF_PARAMETER = {
    "attachment_id": "file.notFound",
    "channel": "channel.notFound",
    "connection_id": "connection.notFound",
    "conversation_id": "conversation.notFound",
    "delivery_id": "delivery.notFound",
    "field_id": "customField.notFound",
    "job_id": "job.notFound",
    "lead_id": "lead.notFound",
    "message_id": "message.notFound",
    "reply_id": "reply.notFound",
    "slug": "card.notFound",
    "source_id": "source.notFound",
    "webhook_id": "webHook.notFound",
}


def codes_of(view: type[Any], method: str, parameters: Iterable[str]) -> set[str]:
    """Return the codes of an operation: a view's method, on a path with these parameters."""
    codes = set(ALWAYS) | {OF_PARAMETER[name] for name in parameters} | set(view.refusals.get(method, ()))
    if method in ("POST", "PATCH", "PUT"):
        codes |= WITH_BODY
    if method == "POST":
        codes |= WITH_IDEMPOTENCY_KEY
    if view.for_source_keys:
        codes.add("integration.disabled")
    return codes
