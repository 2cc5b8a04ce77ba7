"""Carry one claimed delivery to its destination and say what became of it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from core.ids import encode
from core.secrets import MASK, Unreadable
from outbox.schedule import scaled
from webhooks.delivery.claims import ClaimedDelivery
from webhooks.delivery.destinations import Destination
from webhooks.delivery.outcomes import classify_response, describe, failed, is_ours
from webhooks.delivery.results import Outcome, Result
from webhooks.delivery.schedule import GIVES_UP_AFTER, MAX_ATTEMPTS
from webhooks.signing import signature_header

ANSWER_BYTES = 64 * 1024
USER_AGENT = "Leadwire/1"
SECRET_HEADERS = ("X-Secret-Key",)


@dataclass(frozen=True)
class OutgoingRequest:
    """A claimed delivery with its destination and the bytes to send."""

    delivery: ClaimedDelivery
    destination: Destination | None
    body: bytes | None
    is_fresh: bool = True  # rendered now: the attempt's log keeps it, and later attempts send the same bytes


def headers_for(outgoing: OutgoingRequest, destination: Destination, timestamp: int) -> dict[str, str]:
    """Return the headers of one attempt. Raise Unreadable when a secret cannot be decrypted."""
    webhook_id = encode("evt", outgoing.delivery.event_id)
    body = outgoing.body or b""
    headers = destination.own_headers | {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(
            destination.signing_secrets, webhook_id=webhook_id, timestamp=timestamp, body=body
        ),
    }
    if outgoing.delivery.is_aside:
        headers["webhook-out-of-order"] = "true"  # later events of the conversation went ahead: sort by `sequence`
    if secret := destination.header_secret:
        headers["X-Secret-Key"] = secret
    return headers


async def attempt(session: aiohttp.ClientSession, outgoing: OutgoingRequest) -> Result:
    """Make one attempt. Never raises: whatever happens becomes a result."""
    delivery, destination = outgoing.delivery, outgoing.destination
    result = Result(delivery, Outcome.FAILED, datetime.now(UTC))
    if destination is None or not destination.is_connected:
        result.outcome, result.next_because = Outcome.CANCELLED, "The webhook was disconnected"
        return result
    if not destination.may_hear_of(delivery):
        result.outcome, result.next_because = Outcome.CANCELLED, "The webhook's creator may no longer see this source"
        return result
    if outgoing.body is None:
        result.error = "The event is no longer kept"
        return result
    if delivery.attempts > MAX_ATTEMPTS:
        result.error = "The worker crashed during every attempt"
        return result
    if delivery.claimed_at - delivery.created_at > scaled(GIVES_UP_AFTER):  # both by the database's clock
        result.error = "Five days have passed since the event"
        return result
    if outgoing.is_fresh:
        result.request_body = outgoing.body.decode()
    try:
        headers, tls = headers_for(outgoing, destination, int(result.started_at.timestamp())), destination.tls
    except Unreadable as error:
        return failed(result, str(error))
    result.url = destination.url
    hidden = {*SECRET_HEADERS, *destination.own_headers}
    result.request_headers = {name: MASK if name in hidden else value for name, value in headers.items()}
    return await _send(session, result, outgoing.body, headers, tls)


async def _send(
    session: aiohttp.ClientSession, result: Result, body: bytes, headers: dict[str, str], tls: ssl.SSLContext | bool
) -> Result:
    """Make the call, and classify_response the answer or its absence."""
    started = time.perf_counter()
    try:
        async with session.post(
            result.url,
            data=body,
            headers=headers,
            allow_redirects=False,
            ssl=tls,
            trace_request_ctx=result.timings,
        ) as answer:
            result.dialled = getattr(answer, "peer", "")
            result.status_code = answer.status
            result.answer_headers = _kept_headers(answer.headers)
            result.answer_body = await _read(answer)
    except Exception as error:  # a stranger's server may make any layer raise
        result.duration_ms = _since(started)
        if result.status_code is None:
            return failed(result, describe(error), ours=is_ours(error))
    result.duration_ms = _since(started)
    try:
        return classify_response(result)
    except Exception as error:  # a header that no parser foresaw
        return failed(result, f"{result.status_code}, and the answer could not be read: {type(error).__name__}")


async def _read(answer: aiohttp.ClientResponse) -> str:
    chunks, size = [], 0
    async for chunk in answer.content.iter_chunked(16 * 1024):
        chunks.append(chunk[: ANSWER_BYTES - size])
        size += len(chunks[-1])
        if size >= ANSWER_BYTES:
            answer.close()  # the rest is not ours to read, and the connection is not to be used again
            break
    return b"".join(chunks).decode("utf-8", "replace").replace("\x00", "�")


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    shortened = {name: value[:1000].replace("\x00", "�") for name, value in list(headers.items())[:50]}
    return {name: value.encode("utf-8", "replace").decode() for name, value in shortened.items()}


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
