"""What holds for every request, pages and API alike."""

import logging
import re
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import resolve, reverse

from core.problems import RETRY_AFTER_SECONDS, problem, unavailable

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")


class RequestId:
    """Give every request an id, the caller's own if it is sane, and say it in the answer and in each log line."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-Id", "")
        request_id = asked if SANE_REQUEST_ID.fullmatch(asked) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]  # Django's class has no such attribute
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class RefusedBody:
    """Answer for a body that was not read: too large, too slow (config/web/bodies.py)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refused = request.META.get("leadwire.refused")
        if refused is None:
            return self.get_response(request)
        response = problem(request, refused.status, refused.code, refused.detail)
        if refused.status == 503:
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response


class Machines:
    """Answer a call of a machine here: it has no session and no cookie, and what follows is for pages."""

    ADDRESSES = ("/v1/", "/forms/", "/mcp", "/channels/", "/files/")

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._call(request) if request.path_info.startswith(self.ADDRESSES) else self.get_response(request)

    def _call(self, request: HttpRequest) -> HttpResponse:
        """Do what Django's handler does for a view."""
        request.resolver_match = match = resolve(request.path_info)
        try:
            response = match.func(request, *match.args, **match.kwargs)
        except (OperationalError, InterfaceError) as error:
            return _unavailable(request, error)
        return response.render() if isinstance(response, SimpleTemplateResponse) else response


class LoggedOut:
    """Part of a page that is asked for after the session ended: 401, or the login page would stand in its place."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_sent_to_log_in = response.status_code == 302 and response["Location"].startswith(reverse("account_login"))
        return HttpResponse(status=401) if is_sent_to_log_in and "HX-Request" in request.headers else response


class Private:
    """Keep pages of logged-in people out of every cache, so that Back shows none of them after a logout."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html") and "Cache-Control" not in response
        user = getattr(request, "user", None)  # the API has none
        if is_page and user is not None and user.is_authenticated:
            response["Cache-Control"] = "no-store"
        return response


class Unavailable:
    """A database that restarts, is full or makes us wait too long is 503: the caller should come back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError) as error:
            return _unavailable(request, error)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        is_ours = isinstance(exception, OperationalError | InterfaceError)
        return _unavailable(request, exception) if is_ours else None


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("database unavailable: %s", error)
    return unavailable(request)
