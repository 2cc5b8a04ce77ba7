"""Have the whole request before a thread is taken for it, and let the thread go before the answer is read.

A thread that reads a body itself is held by whoever sends it slowly: under WSGI alone twenty sockets stopped the web.
Here bodies are read in the event loop, to a limit and a deadline. Django gets each whole and with its length, however
it came, so a chunked one is a body like any other. Heads and answers are the server's own business (Granian's).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # it imports the name for others

from config.web.bodies import (
    BODY_MAX_BYTES,
    Body,
    Refused,
    UploadSlots,
    empty,
    is_large,
    is_of_unknown_length,
    read_body,
    read_upload,
)
from config.web.environ import Environ, environ_of

Headers = list[tuple[str, str]]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Buffered:
    """Serve a WSGI application over RSGI (Granian's interface, version 1.5 and later)."""

    def __init__(self, wsgi: Wsgi, *, uploader: Callable[[Environ], str] = lambda _: "") -> None:
        self.wsgi, self.uploader = wsgi, uploader
        self.threads = ThreadPoolExecutor(int(os.environ.get("LEADWIRE_WEB_THREADS", "8")), thread_name_prefix="web")
        self.uploads = UploadSlots()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            return
        environ = environ_of(scope)
        with await self._body(scope, protocol, environ) as body:
            environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(body.length), body.file
            status, headers, chunks = await self._in_a_thread(self._call, environ)
            with contextlib.suppress(ProtocolClosed):  # the client has gone
                if isinstance(chunks, bytes):
                    protocol.response_bytes(status, headers, chunks)
                else:
                    await self._stream(protocol.response_stream(status, headers), chunks)

    async def _body(self, scope: Any, protocol: Any, environ: Environ) -> Body:
        """Read the body. A refusal is an empty one, and words for Django to say."""
        try:
            headers = scope.headers
            is_too_large = is_large(headers)
            may_be_large = is_too_large or is_of_unknown_length(headers)
            owner = await self._in_a_thread(self.uploader, environ) if may_be_large else ""
            if owner:
                with self.uploads.taken(owner):
                    return await read_upload(protocol)
            if is_too_large:
                raise Refused(413, "request.tooLarge", f"A body may have {BODY_MAX_BYTES:,} bytes.")
            return await read_body(headers, protocol)
        except Refused as refusal:
            environ["leadwire.refused"] = refusal
            return empty()

    async def _in_a_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)

    def _call(self, environ: Environ) -> tuple[int, Headers, bytes | Iterable[bytes]]:
        answer: list[Any] = []

        def start(status: str, headers: Headers, _: Any = None) -> None:
            answer[:] = [int(status[:3]), [(name.lower(), value) for name, value in headers]]

        chunks: Any = self.wsgi(environ, start)
        if getattr(chunks, "streaming", False):
            return answer[0], answer[1], chunks
        try:
            return answer[0], answer[1], b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    async def _stream(self, transport: Any, chunks: Any) -> None:
        """Send a file as its reader takes it: between two chunks no thread is held."""
        rest = iter(chunks)
        try:
            while (chunk := await self._in_a_thread(next, rest, None)) is not None:
                await transport.send_bytes(chunk)
        finally:
            await self._in_a_thread(chunks.close)
