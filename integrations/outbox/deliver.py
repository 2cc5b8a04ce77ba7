"""Carry one claimed delivery to its endpoint and say what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp

from accounts.ids import encode
from integrations.dialling import AddressForbidden
from integrations.models import Delivery
from integrations.outbox.claims import ClaimedDelivery
from integrations.outbox.endpoints import Endpoint
from integrations.outbox.results import MASK, Outcome, Result
from integrations.outbox.schedule import MAX_ATTEMPTS, next_try, parse_retry_after
from integrations.secrets import Unreadable
from integrations.signing import signature_header

DEADLINE_SECONDS = 15
LEASE_MARGIN = timedelta(seconds=5)
ANSWER_BYTES = 64 * 1024
USER_AGENT = "Leadwire/1"
SECRET_HEADERS = ("X-Secret-Key",)


@dataclass(frozen=True)
class Parcel:
    """A claimed delivery with its endpoint and the bytes to send."""

    delivery: ClaimedDelivery
    endpoint: Endpoint | None
    body: bytes | None
    is_fresh: bool = True  # rendered now: the attempt's log keeps it, and later attempts send the same bytes


def headers_for(parcel: Parcel, endpoint: Endpoint, timestamp: int) -> dict[str, str]:
    """Return the headers of one attempt. Raise Unreadable when a secret cannot be decrypted."""
    webhook_id = encode("evt", parcel.delivery.event_id)
    body = parcel.body or b""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(
            endpoint.signing_secrets, webhook_id=webhook_id, timestamp=timestamp, body=body
        ),
    }
    if secret := endpoint.header_secret:
        headers["X-Secret-Key"] = secret
    return headers


async def attempt(session: aiohttp.ClientSession, parcel: Parcel) -> Result:
    """Make one attempt. Never raises: whatever happens becomes a result."""
    delivery, endpoint = parcel.delivery, parcel.endpoint
    started_at, started = datetime.now(UTC), time.perf_counter()
    result = Result(delivery, Outcome.FAILED, started_at)
    if endpoint is None or not endpoint.is_connected:
        result.outcome, result.error, result.next_because = Outcome.CANCELLED, "", "The card was disconnected"
        return result
    if parcel.body is None:
        result.error = "The event is no longer kept"
        return result
    if delivery.attempts > MAX_ATTEMPTS:
        result.error = "Every attempt ended with the worker that made it"
        return result
    if delivery.claimed_at - delivery.created_at > Delivery.GIVES_UP_AFTER:  # both by the database's clock
        result.error = "Five days have passed since the event"
        return result
    if parcel.is_fresh:
        result.request_body = parcel.body.decode()
    try:
        headers = headers_for(parcel, endpoint, int(started_at.timestamp()))
    except Unreadable as error:
        return _failed(result, str(error), None)
    result.url = endpoint.url
    result.request_headers = {name: MASK if name in SECRET_HEADERS else value for name, value in headers.items()}
    try:
        async with session.post(endpoint.url, data=parcel.body, headers=headers, allow_redirects=False) as answer:
            result.dialled = _peer(answer)
            result.status_code = answer.status
            result.answer_headers = _kept_headers(answer.headers)
            result.answer_body = await _read(answer)
    except Exception as error:  # a stranger's server may make any layer raise
        result.duration_ms = _since(started)
        if result.status_code is None:
            return _failed(result, describe(error), None)
    result.duration_ms = _since(started)
    try:
        return _judged(result)
    except Exception as error:  # a header that no parser foresaw
        return _failed(result, f"{result.status_code}, and the answer could not be read: {type(error).__name__}", None)


def _judged(result: Result) -> Result:
    status = result.status_code or 0
    if 200 <= status < 300:
        result.outcome = Outcome.DELIVERED
        return result
    if status == 410:
        result.error, result.stops_endpoint = "410 Gone", "The receiver answered 410 Gone"
        result.next_because = "410 Gone: the endpoint is stopped"
        return result
    if 300 <= status < 400:
        return _failed(result, f"{status}: redirects are not followed", None)
    asked = None
    if status in (429, 503) and "Retry-After" in result.answer_headers:
        asked = parse_retry_after(result.answer_headers["Retry-After"], datetime.now(UTC))
    return _failed(result, f"{status} from the receiver", asked)


def _failed(result: Result, error: str, asked: timedelta | None) -> Result:
    """A failure that is tried again, if it may be."""
    delivery = result.delivery
    result.error = error
    if delivery.is_test:
        return result
    again = next_try(delivery.attempts, retry_after=asked)
    if again is None:
        result.next_because = f"All {MAX_ATTEMPTS} attempts failed"
    elif delivery.claimed_at + again.after - delivery.created_at > Delivery.GIVES_UP_AFTER:
        result.next_because = "The next attempt would be more than five days after the event"
    else:
        result.outcome, result.retry_after, result.next_because = Outcome.RETRYING, again.after, again.because
        result.counts = asked is None
    return result


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
    kept = {name: value[:1000].replace("\x00", "�") for name, value in list(headers.items())[:50]}
    return {name: value.encode("utf-8", "replace").decode() for name, value in kept.items()}


def _peer(answer: aiohttp.ClientResponse) -> str:
    transport = answer.connection.transport if answer.connection else None
    peer = transport.get_extra_info("peername") if transport else None
    return f"{peer[0]}:{peer[1]}" if peer else ""


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def describe(error: BaseException) -> str:
    """Say what went wrong on the way to a receiver, in words that help."""
    seen: BaseException | None = error
    while seen is not None:  # aiohttp wraps what the socket said
        if isinstance(seen, AddressForbidden):
            return f"Not sent: {seen}"
        seen = getattr(seen, "os_error", None) or seen.__cause__
    if isinstance(error, asyncio.TimeoutError):
        return f"No answer within {DEADLINE_SECONDS} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The name of the server was not found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "The server's certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "The server does not speak TLS as it should"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "The server could not be reached: connection refused or timed out"
    if isinstance(error, aiohttp.InvalidURL):
        return "The URL is not valid"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError | aiohttp.ClientOSError):
        return "The server closed the connection before it answered"
    return f"The answer could not be read ({type(error).__name__})"
