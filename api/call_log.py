"""The log of API calls: method, path, status, key and time. Bodies are not kept."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db import connection
from rest_framework.request import Request

from api.callers import Caller
from api.context import context_of
from core.ids import uuid7

REFUSED_EVERY_SECONDS, REFUSED_KEPT = 60.0, 10_000
_refused_at: dict[str, float] = {}  # of this process: when a refusal of this caller was last written down

INSERT_CALL = """
INSERT INTO api_apicall (id, organization_id, source_id, kind, key_id, method, path, status, code, lead_id,
    address, request_id, ms)
VALUES (%(call)s, %(organization)s, %(source)s, %(kind)s, %(key)s, %(method)s, %(path)s, %(status)s, %(code)s,
    %(lead)s, %(address)s, %(request)s, %(ms)s)
"""


def set_call_subject(request: Request, *, source_id: UUID, lead_id: UUID | None = None) -> None:
    """Say which source and lead a call is about, so that it stands in the right card's Activity."""
    context = context_of(request)
    context.source_id, context.lead_id = source_id, lead_id


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
    caller = context_of(request).caller
    if caller is None or (status == 429 and not _is_first_refusal(caller)):
        return
    with connection.cursor() as cursor:
        cursor.execute(INSERT_CALL, values_of_call(request, caller, status, code))


def values_of_call(request: Request, caller: Caller, status: int, code: str = "") -> dict[str, Any]:
    """Return the values of `INSERT_CALL` for a call that is written into the log now."""
    context = context_of(request)
    context.is_logged = True
    return {
        "call": uuid7(),
        "organization": caller.organization_id,
        "source": context.source_id or caller.home_source_id,
        "kind": caller.kind,
        "key": caller.key_id,
        "method": request.method,
        "path": request.path[:300],
        "status": status,
        "code": code[:60],
        "lead": context.lead_id,
        "address": caller.address,
        "request": getattr(request, "request_id", ""),
        "ms": context.milliseconds,
    }
