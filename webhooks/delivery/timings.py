"""Where the time of one attempt goes, as the HTTP client tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp


@dataclass
class Timings:
    """Milliseconds of one attempt. None: there was no such step, because a connection or an answer was kept."""

    dns_ms: int | None = None
    connect_ms: int | None = None  # with TLS, without the look-up
    first_byte_ms: int | None = None  # from the request being sent to the head of the answer
    _dns_at: float = 0.0
    _connect_at: float = 0.0
    _sent_at: float = 0.0


def trace() -> aiohttp.TraceConfig:
    """Return what a session needs to fill the Timings that a request brings as `trace_request_ctx`."""
    config = aiohttp.TraceConfig()
    config.on_dns_resolvehost_start.append(_on("_dns_at"))
    config.on_dns_resolvehost_end.append(_on_end("dns_ms", "_dns_at"))
    config.on_connection_create_start.append(_on("_connect_at"))
    config.on_connection_create_end.append(_on_connected)
    config.on_connection_reuseconn.append(_on("_sent_at"))
    config.on_request_end.append(_on_end("first_byte_ms", "_sent_at"))
    return config


def _on(field: str) -> Any:
    async def began(session: aiohttp.ClientSession, context: SimpleNamespace, _: Any) -> None:
        if context.trace_request_ctx:
            setattr(context.trace_request_ctx, field, time.perf_counter())

    return began


def _on_end(field: str, since: str) -> Any:
    async def ended(session: aiohttp.ClientSession, context: SimpleNamespace, _: Any) -> None:
        if timings := context.trace_request_ctx:
            setattr(timings, field, _ms(getattr(timings, since)))

    return ended


async def _on_connected(session: aiohttp.ClientSession, context: SimpleNamespace, _: Any) -> None:
    timings: Timings | None = context.trace_request_ctx
    if timings is None:
        return
    timings.connect_ms = _ms(timings._connect_at) - (timings.dns_ms or 0)
    timings._sent_at = time.perf_counter()


def _ms(since: float) -> int:
    return round((time.perf_counter() - since) * 1000)
