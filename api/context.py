"""What is known of a call while it is worked on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from api.callers import Caller
from api.rates import Rate

_NAME = "leadwire_call"  # of the attribute of Django's request


@dataclass
class CallContext:
    """One call of the API. It stands on Django's request, because REST framework makes its own of it."""

    started: float = field(default_factory=time.perf_counter)
    caller: Caller | None = None
    rate: Rate | None = None
    source_id: UUID | None = None  # that the call is about, as far as it is known
    lead_id: UUID | None = None
    rate_headers: dict[str, str] = field(default_factory=dict)  # of an MCP message: those of the call that it became
    is_logged: bool = False

    @property
    def milliseconds(self) -> int:
        return round((time.perf_counter() - self.started) * 1000)


def context_of(request: Request | HttpRequest) -> CallContext:
    """Return the context of a request's call, which begins with the first time that somebody asks."""
    plain = request._request if isinstance(request, Request) else request
    context: CallContext | None = getattr(plain, _NAME, None)
    if context is None:
        context = CallContext()
        setattr(plain, _NAME, context)
    return context
