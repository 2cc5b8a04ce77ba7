"""Refusals, and how they read outside: problem+json (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

CONTENT_TYPE = "application/problem+json"

TITLES = {
    400: "The request is not valid",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Too slow",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be done",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Temporarily unavailable",
}


@dataclass
class Refusal(Exception):
    """Something is not done, for a reason that a caller can act on."""

    status: int
    code: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    @property
    def words(self) -> str:
        """What a page says."""
        return self.detail


class NotFound(Refusal):
    """The same words for what is not there and for what is somebody else's."""

    def __init__(self, what: str = "resource") -> None:
        super().__init__(404, f"{what}.notFound", f"There is no such {what}.")


class Invalid(Refusal):
    """One or more fields are wrong: `errors` has a JSON Pointer, parameter or header for each."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__(400, "request.invalid", "Some of the fields are not valid.", extra={"errors": errors})

    @property
    def words(self) -> str:
        return self.extra["errors"][0]["detail"]  # type: ignore[no-any-return]

    @classmethod
    def at(cls, place: str, detail: str, code: str = "invalid", *, kind: str = "pointer") -> Invalid:
        return cls([{kind: place, "detail": detail, "code": code}])


def problem(
    request: HttpRequest | None,
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> JsonResponse:
    """Return the answer for one problem."""
    body = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request, "request_id", ""),
        **(extra or {}),
    }
    return JsonResponse(body, status=status, headers=headers, content_type=CONTENT_TYPE)


RETRY_AFTER_SECONDS = 2


def unavailable(request: HttpRequest) -> HttpResponse:
    response = problem(request, 503, "service.unavailable", "The database is not available right now. Try again.")
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
