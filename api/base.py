"""What every operation of the API has in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection, transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor
from api.call_log import log_call
from api.callers import Caller
from api.context import context_of
from api.deprecation import Deprecation
from api.rates import count_call
from core.ids import decode
from core.problems import Invalid, NotFound, Refusal
from core.text import pointer_part, text_problem

PAGE_DEFAULT, PAGE_MAX = 25, 100
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="1 to 255 visible characters."
)


class Api(APIView):
    """The operations of one path. `scopes` names what a token needs for each method."""

    scopes: ClassVar[dict[str, str]] = {}
    for_source_keys: ClassVar[frozenset[str]] = frozenset()  # methods: replying takes these, and no others
    # By method: the codes of what it refuses, beyond those of refusals.py that many operations have.
    refusals: ClassVar[dict[str, tuple[str, ...]]] = {}
    deprecation: ClassVar[Deprecation | None] = None
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        context_of(request)  # it begins now
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        caller = caller_of(request)
        rate = count_call(caller.principal, times=caller.rate_limit_factor)
        context_of(request).rate = rate
        rate.require()
        method = "GET" if request.method == "HEAD" else request.method or ""
        scope = self.scopes.get(method, "")
        is_there = hasattr(self, method.lower())  # else it is 405
        if is_there and caller.is_source_key and method not in self.for_source_keys:
            raise Refusal(403, "token.scopeMissing", "This takes an API token.", extra={"scope": scope})
        if scope:
            caller.require_scope(scope)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        context = context_of(request)
        if isinstance(response, Response) and not context.is_logged:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")  # a lost line of the log is no lost lead
                log_call(request, response.status_code)
        answer = super().finalize_response(request, response, *args, **kwargs)
        for part in (context.rate, self.deprecation):
            for name, value in part.headers().items() if part else ():
                answer[name] = value
        return answer


def caller_of(request: Request) -> Caller:
    caller: Any = request.user
    assert isinstance(caller, Caller)  # noqa: S101  every operation asks for a key
    return caller


def actor_of(request: Request) -> Actor:
    """Return who changes things by this call."""
    caller = caller_of(request)
    return Actor(f"{caller.name} (API)", None, caller.address, getattr(request._request, "request_id", ""))


def id_of(prefix: str, text: str, what: str) -> UUID:
    """Return the UUID behind an id of the path. Raise NotFound: a malformed id names nothing."""
    decoded = decode(prefix, text)
    if decoded is None:
        raise NotFound(what)
    return decoded


def read_body(request: Request, shape: type[serializers.Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
    """Return the validated body. Raise Invalid with a pointer for each bad or unknown field, all at once.

    `partial`: a PATCH, in which what is left out stays as it is.
    """
    if not isinstance(request.data, dict):
        raise Invalid.at("#", "The body is a JSON object.", "type")
    data = shape(data=request.data, partial=partial)
    errors = list(_unknown(request.data, data, "#"))
    if not data.is_valid():
        errors += list(_flat(data.errors, "#"))
    if errors:
        raise Invalid(errors)
    return dict(data.validated_data)


def _unknown(given: Any, shape: serializers.Serializer[Any], place: str) -> Iterator[dict[str, str]]:
    """A typo must not be silence: name every field that nobody knows, in objects inside too."""
    for name, value in given.items():
        here, field = f"{place}/{pointer_part(name)}", shape.fields.get(name)
        if field is None:
            yield {"pointer": here, "detail": "There is no such field.", "code": "unknown"}
        elif isinstance(field, serializers.Serializer) and isinstance(value, dict):
            yield from _unknown(value, field, here)


def read_query(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Return the validated query parameters. Raise Invalid with the parameter's name for each bad one."""
    given = {name: values[-1] for name, values in request.query_params.lists()}
    if given.get("cursor") == "":
        del given["cursor"]  # what a caller asks with that has none yet: from the beginning
    data = shape(data={name: value for name, value in given.items() if not text_problem(value)})
    errors = [
        {"parameter": name, "detail": "There is no such parameter.", "code": "unknown"}
        for name in given
        if name not in data.fields
    ]
    errors += [
        {"parameter": name, "detail": text_problem(value), "code": "unstorable"}
        for name, value in given.items()
        if text_problem(value)
    ]
    if not data.is_valid():
        errors += [
            {"parameter": name, "detail": str(messages[0]), "code": messages[0].code}
            for name, messages in data.errors.items()
        ]
    if errors:
        raise Invalid(errors)
    return dict(data.validated_data)


def _flat(detail: Any, place: str) -> Any:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(inner, place if name == "non_field_errors" else f"{place}/{pointer_part(name)}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, place)
    else:
        yield {"pointer": place, "detail": str(detail), "code": str(getattr(detail, "code", "invalid"))}


class PageQuery(serializers.Serializer[Any]):
    """The parameters of every list."""

    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=PAGE_DEFAULT)
    cursor = serializers.CharField(required=False, allow_blank=True, max_length=200)


def listed(plural: str, rows: Sequence[dict[str, Any]], next_cursor: str | None) -> Response:
    return Response({"data": {plural: rows}, "meta": {"next_cursor": next_cursor}})
