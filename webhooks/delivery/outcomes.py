"""What an answer, or its absence, means for a delivery and its destination: the etiquette of webhooks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp

from core.resolving import NotLookedUp
from core.ssrf_guard import AddressForbidden
from outbox.schedule import DEADLINE_SECONDS, scaled
from webhooks.delivery.results import Outcome, Result
from webhooks.delivery.schedule import GIVES_UP_AFTER, MAX_ATTEMPTS, next_try, parse_retry_after

NAMES_AGAIN_AFTER = timedelta(seconds=30)  # when no name server answered
DIRECTIVE_HEADER = "webhook-delivery"  # by which a receiver ends an endpoint (disable) or one event (abort-message)


def classify_response(result: Result) -> Result:
    """Say what follows from an answer: delivered, tried again, given up, or the endpoint stopped."""
    status = result.status_code or 0
    directive = _header(result, DIRECTIVE_HEADER).strip().lower()
    if directive == "disable":
        result.stops_endpoint = f"The receiver asked for it ({DIRECTIVE_HEADER}: disable)"
    if 200 <= status < 300:
        result.outcome = Outcome.DELIVERED
        return result
    if status == 410:
        result.stops_endpoint = "The receiver answered 410 Gone"
    if result.stops_endpoint:
        result.error = "410 Gone" if status == 410 else f"{status} from the receiver"
        result.next_because = f"{result.stops_endpoint}: the endpoint is stopped"
        return result
    if directive == "abort-message":
        result.error = f"{status} from the receiver"
        result.next_because = f"The receiver asked for no more attempts ({DIRECTIVE_HEADER}: abort-message)"
        return result
    if 300 <= status < 400:
        return failed(result, f"{status}: redirects are not followed")
    asked = None
    retry_after = _header(result, "retry-after")
    if status in (429, 503) and retry_after:
        asked = parse_retry_after(retry_after, datetime.now(UTC))
    return failed(result, f"{status} from the receiver", asked)


def _header(result: Result, wanted: str) -> str:
    """Return the value of a header of the answer, whatever its case; empty without one."""
    return next((value for name, value in result.answer_headers.items() if name.lower() == wanted), "")


def failed(result: Result, error: str, asked: timedelta | None = None, *, ours: bool = False) -> Result:
    """A failure that is tried again, if it may be.

    `asked`: how long the receiver wants us to wait. `ours`: it is not the receiver's failure, and counts no attempt.
    """
    delivery = result.delivery
    result.error = error
    if delivery.is_test:
        return result
    again = next_try(delivery.attempts, retry_after=NAMES_AGAIN_AFTER if ours else asked)
    if again is None:
        result.next_because = f"All {MAX_ATTEMPTS} attempts failed"
    elif delivery.claimed_at + again.after - delivery.created_at > scaled(GIVES_UP_AFTER):
        result.next_because = "The next attempt would be more than five days after the event"
    else:
        because = "this attempt does not count" if ours else again.because
        result.outcome, result.retry_after, result.next_because = Outcome.RETRYING, again.after, because
        result.uses_up_attempt = asked is None and not ours
    return result


def is_ours(error: BaseException) -> bool:
    """True when nobody could look the name up: that is no failure of the receiver's."""
    while error.__cause__ is not None and not isinstance(error, NotLookedUp):
        error = error.__cause__
    return isinstance(error, NotLookedUp)


def describe(error: BaseException) -> str:
    """Say what went wrong on the way to a receiver, in words that help."""
    seen: BaseException | None = error
    while seen is not None:  # aiohttp wraps what the socket said
        if isinstance(seen, AddressForbidden):
            return f"Not sent: {seen}"
        seen = getattr(seen, "os_error", None) or seen.__cause__
    if isinstance(error, asyncio.TimeoutError):
        return f"No answer within {DEADLINE_SECONDS:g} s"
    if is_ours(error):
        return "Our name server did not say where the server is"
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
