"""One effect for one Idempotency-Key, however often and however parallel it is sent.

The key's row, the effect and the stored answer commit together. Only a 2xx is pinned: what was refused may pass later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from api.call_log import log_call, subject_of
from api.callers import Caller
from api.models import IdempotencyKey
from core.problems import Invalid, Refusal
from core.secrets import Secret, Unreadable

KEPT = timedelta(hours=24)
KEY_MAX = 255  # characters


def answer_once(
    request: Request,
    effect: Callable[[], Response],
    *,
    authorize: Callable[[], object] = lambda: None,
    body: str | None = None,
) -> Response:
    """Run `effect` and log the call in one transaction; with an Idempotency-Key at most once in 24 hours.

    `authorize` runs before a stored response is replayed, and raises if the caller has lost access since. `body` is the
    digest of a body that was read in pieces.
    """
    caller: Caller = request.user  # type: ignore[assignment]
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable() and " " not in key):
        raise Invalid.at("Idempotency-Key", f"Give 1 to {KEY_MAX} visible ASCII characters.", "invalid", kind="header")
    with transaction.atomic():
        if key is None:
            response = effect()
        else:
            digest = _digest(caller.idempotency_scope, request.method, request.path, key)
            query = json.dumps(sorted(request.query_params.lists()))  # of an import it says whether it is a trial
            body_digest = _digest(query, body or json.dumps(request.data, sort_keys=True, ensure_ascii=False))
            response = _once(request, digest, body_digest, effect, authorize)
        log_call(request, response.status_code)
    return response


def _once(
    request: Request,
    digest: bytes,
    body: bytes,
    effect: Callable[[], Response],
    authorize: Callable[[], object],
) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
        if not cursor.fetchone()[0]:
            raise Refusal(409, "idempotency.inFlight", "The first call with this Idempotency-Key is still running.")
    first = IdempotencyKey.objects.filter(digest=digest, created_at__gt=timezone.now() - KEPT).first()
    if first is not None:
        if bytes(first.body_digest) != body:
            raise Refusal(422, "idempotency.mismatch", "This Idempotency-Key was used with another body or query.")
        authorize()
        return Response(
            _stored(first),
            status=first.status,
            headers={**first.headers, "Idempotency-Replayed": "true"},
        )
    response = effect()
    if 200 <= response.status_code < 300:
        _pin(digest, body, response, subject_of(request))
    return response


def _stored(first: IdempotencyKey) -> Any:
    """The first answer. Raise Refusal `idempotency.unreadable` when its encryption key is lost: it was done, once."""
    try:
        return json.loads(first.answer.reveal())
    except Unreadable as error:
        detail = "This call was answered before, and the stored answer cannot be read any more. It was not done again."
        raise Refusal(409, "idempotency.unreadable", detail) from error


_PIN = """
INSERT INTO api_idempotencykey (digest, body_digest, status, answer, headers, lead_id, created_at)
VALUES (%s, %s, %s, %s, %s, %s, now())
ON CONFLICT (digest) DO UPDATE SET body_digest = excluded.body_digest, status = excluded.status,
    answer = excluded.answer, headers = excluded.headers, lead_id = excluded.lead_id,
    created_at = excluded.created_at
"""


def _pin(digest: bytes, body: bytes, response: Response, lead_id: UUID | None) -> None:
    """Keep the answer, over one that is older than a day if need be."""
    answer = Secret.of(json.dumps(response.data, ensure_ascii=False)).token
    headers = json.dumps({name: response[name] for name in ("Location",) if name in response})
    with connection.cursor() as cursor:
        cursor.execute(_PIN, [digest, body, response.status_code, answer, headers, lead_id])


def _digest(*parts: Any) -> bytes:
    return hashlib.sha256("\n".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).digest()
