"""One effect for one Idempotency-Key, however often and however parallel it is sent.

The key's row, the effect and the stored answer commit together. Only a 2xx is pinned: what was refused may pass later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import caller_of
from api.call_log import INSERT_CALL, log_call, values_of_call
from api.context import context_of
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
    caller = caller_of(request)
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable() and " " not in key):
        raise Invalid.at("Idempotency-Key", f"Give 1 to {KEY_MAX} visible ASCII characters.", "invalid", kind="header")
    with transaction.atomic():
        if key is None:
            response = effect()
            log_call(request, response.status_code)
        else:
            digest = _digest(caller.idempotency_scope, request.method, request.path, key)
            query = json.dumps(sorted(request.query_params.lists()))  # of an import it says whether it is a trial
            body_digest = _digest(query, body or json.dumps(request.data, sort_keys=True, ensure_ascii=False))
            response = _once(request, digest, body_digest, effect, authorize)
    return response


# The lock is taken after the statement's snapshot. A first call may have committed in between: `_PIN` sees that.
_FIRST = """
SELECT pg_try_advisory_xact_lock(%(lock)s), first.body_digest, first.status, first.answer, first.headers
FROM (VALUES (1)) AS always LEFT JOIN api_idempotencykey first
    ON first.digest = %(digest)s AND first.created_at > now() - %(kept)s
"""
# The call's line of the log goes with it: each statement costs a call about as much as the web does.
_PIN = f"""
WITH logged AS ({INSERT_CALL})
INSERT INTO api_idempotencykey AS first (digest, body_digest, status, answer, headers, lead_id, created_at)
VALUES (%(digest)s, %(body)s, %(status)s, %(answer)s, %(headers)s, %(lead)s, now())
ON CONFLICT (digest) DO UPDATE SET body_digest = excluded.body_digest, status = excluded.status,
    answer = excluded.answer, headers = excluded.headers, lead_id = excluded.lead_id, created_at = excluded.created_at
WHERE first.created_at <= now() - %(kept)s
"""  # noqa: S608  ours


@dataclass(frozen=True)
class _FirstAnswer:
    """The answer to the first call with a key."""

    body_digest: bytes
    status: int
    answer: Secret
    headers: dict[str, str]

    def again(self) -> Response:
        """Return it once more. Raise Refusal `idempotency.unreadable` when its encryption key is lost."""
        try:
            data = json.loads(self.answer.reveal())
        except Unreadable as error:
            detail = (
                "This call was answered before, and the stored answer cannot be read any more. It was not done again."
            )
            raise Refusal(409, "idempotency.unreadable", detail) from error
        return Response(data, status=self.status, headers={**self.headers, "Idempotency-Replayed": "true"})


def _once(
    request: Request, digest: bytes, body: bytes, effect: Callable[[], Response], authorize: Callable[[], object]
) -> Response:
    first = _first_answer(digest)
    if first is not None:
        if first.body_digest != body:
            raise Refusal(422, "idempotency.mismatch", "This Idempotency-Key was used with another body or query.")
        authorize()
        log_call(request, first.status)
        return first.again()
    response = effect()
    if 200 <= response.status_code < 300:
        _pin(request, digest, body, response)
    else:
        log_call(request, response.status_code)
    return response


def _first_answer(digest: bytes) -> _FirstAnswer | None:
    """Return what the first call was answered, or None and take the key's lock. Raise Refusal while that call runs."""
    values: dict[str, Any] = {"lock": int.from_bytes(digest[:8], "big", signed=True), "digest": digest, "kept": KEPT}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, values)
        is_free, body_digest, status, answer, headers = cursor.fetchone()
    if body_digest is not None:
        return _FirstAnswer(bytes(body_digest), status, Secret(answer), json.loads(headers))
    if not is_free:
        raise _in_flight()
    return None


def _in_flight() -> Refusal:
    return Refusal(409, "idempotency.inFlight", "The first call with this Idempotency-Key is still running.")


def _pin(request: Request, digest: bytes, body: bytes, response: Response) -> None:
    """Keep the answer, over one that is older than a day. Raise Refusal when another call kept its own meanwhile."""
    values = values_of_call(request, caller_of(request), response.status_code) | {
        "digest": digest,
        "body": body,
        "answer": Secret.of(json.dumps(response.data, ensure_ascii=False)).token,
        "headers": json.dumps({name: response[name] for name in ("Location",) if name in response}),
        "kept": KEPT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PIN, values)
        if cursor.rowcount == 0:
            context_of(request).is_logged = False  # the line goes with the effect
            raise _in_flight()


def _digest(*parts: Any) -> bytes:
    return hashlib.sha256("\n".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).digest()
