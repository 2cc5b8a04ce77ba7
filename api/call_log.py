"""The log of API calls: method, path, status, key and time. Bodies are not kept."""

from __future__ import annotations

import time
from uuid import UUID

from django.db import connection
from django.http import HttpRequest
from rest_framework.request import Request

from api.callers import Caller
from core.ids import uuid7

REFUSED_EVERY_SECONDS, REFUSED_KEPT = 60.0, 10_000
_refused_at: dict[str, float] = {}  # of this process: when a refusal of this caller was last written down

_LOG = """
INSERT INTO api_apicall (id, organization_id, source_id, kind, key_id, method, path, status, code, lead_id,
    address, request_id, ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def set_call_subject(request: Request, *, source_id: UUID, lead_id: UUID | None = None) -> None:
    """Say which source and lead a call is about, so that it stands in the right card's Activity."""
    request._request.call_about = (source_id, lead_id)  # type: ignore[attr-defined]


def subject_of(request: Request) -> UUID | None:
    """The lead that a call is about, as far as `set_call_subject` was told."""
    about_it: tuple[UUID | None, UUID | None] = getattr(request._request, "call_about", (None, None))
    return about_it[1]


def _is_first_refusal(caller: Caller) -> bool:
    """True once in a minute: who calls in a circle would write a line with each call that is refused."""
    now = time.monotonic()
    if now - _refused_at.get(caller.principal, -REFUSED_EVERY_SECONDS) < REFUSED_EVERY_SECONDS:
        return False
    if len(_refused_at) >= REFUSED_KEPT:
        _refused_at.clear()
    _refused_at[caller.principal] = now
    return True


def log_call(request: Request, status: int, code: str = "") -> None:
    """Write one line of the log. Inside the effect's transaction it costs no commit of its own."""
    plain: HttpRequest = request._request
    caller: Caller | None = getattr(plain, "caller", None)
    if caller is None or (status == 429 and not _is_first_refusal(caller)):
        return
    source_id, lead_id = getattr(plain, "call_about", (caller.home_source_id, None))
    started = getattr(plain, "started", None)
    with connection.cursor() as cursor:
        cursor.execute(
            _LOG,
            [
                uuid7(), caller.organization_id, source_id, caller.kind, caller.key_id, plain.method, plain.path[:300],
                status, code[:60], lead_id, caller.address, getattr(plain, "request_id", ""),
                round((time.perf_counter() - started) * 1000) if started else 0,
            ],
        )  # fmt: skip
    plain.is_logged = True  # type: ignore[attr-defined]
