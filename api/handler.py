"""How every refusal leaves the API: as a problem, with a pointer to what is wrong; 401 without a body."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from api.call_log import log_call
from core.problems import NotFound, Refusal, problem, unavailable
from core.text import pointer_part

logger = logging.getLogger(__name__)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler: the only place in which an exception becomes an answer."""
    request: Request = context["request"]
    plain = request._request
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("database unavailable: %s", error)
        return unavailable(plain)
    refusal = as_refusal(error)
    if refusal is None:
        logger.exception("unexpected error", exc_info=error)
        refusal = Refusal(500, "internal.error", "This is our fault. The request id helps us to find it.")
    try:
        log_call(request, refusal.status, refusal.code)
    except DatabaseError:
        logger.warning("a refused call was not logged")
    return problem(plain, refusal.status, refusal.code, refusal.detail, headers=refusal.headers, extra=refusal.extra)


def as_refusal(error: Exception) -> Refusal | None:
    """Translate what libraries raise. None for what nobody foresaw."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.ValidationError):
        errors = list(pointers(error.detail, "#"))
        return Refusal(400, "request.invalid", "Some of the fields are not valid.", extra={"errors": errors})
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFound()
    if isinstance(error, exceptions.MethodNotAllowed):
        return Refusal(405, "request.methodNotAllowed", "This path does not take this method.")
    if isinstance(error, exceptions.UnsupportedMediaType):
        return Refusal(415, "request.unsupportedMediaType", "Send application/json.")
    if isinstance(error, exceptions.NotAcceptable):
        return Refusal(406, "request.notAcceptable", "The answer is application/json.")
    if isinstance(error, RequestDataTooBig):
        return Refusal(413, "request.tooLarge", "The body is too large.")
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return Refusal(403, "request.forbidden", "This is not allowed.")
    return None


def pointers(detail: Any, place: str) -> Any:
    """Yield an error with its JSON Pointer for each bad field of DRF's nested details."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from pointers(inner, place if name == "non_field_errors" else f"{place}/{pointer_part(name)}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from pointers(inner, f"{place}/{index}" if isinstance(inner, dict | list) else place)
    else:
        yield {"pointer": place, "detail": str(detail), "code": getattr(detail, "code", "invalid")}


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/v1/", "/forms/", "/mcp")) or request.path == "/v1"
