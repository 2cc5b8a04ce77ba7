"""Read the body of a request, to a limit and a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

BODY_MAX_BYTES, BODY_SECONDS = 1_100_000, 10
UPLOAD_MAX_BYTES, UPLOAD_SECONDS = 65 * 1024 * 1024, 300  # a file to import: 64 MB, and what a form puts around it
UPLOADS_AT_ONCE, UPLOADS_OF_ONE = 16, 4  # of one process, and of one organization or person in it


@dataclass
class Refused(Exception):
    """The body was not read. Django says so, as the page or the problem that fits."""

    status: int
    code: str
    detail: str


@dataclass
class Body(contextlib.AbstractContextManager["Body"]):
    """A body that is whole."""

    file: BinaryIO
    length: int

    def __exit__(self, *_: object) -> None:
        self.file.close()


def empty() -> Body:
    return Body(io.BytesIO(), 0)


class UploadSlots:
    """Some large bodies at a time."""

    def __init__(self) -> None:
        self.taken_by: Counter[str] = Counter()

    @contextlib.contextmanager
    def taken(self, owner: str) -> Iterator[None]:
        """Raise Refused when there is none: slow bodies of one tenant keep nobody else out."""
        if self.taken_by.total() >= UPLOADS_AT_ONCE or self.taken_by[owner] >= UPLOADS_OF_ONE:
            raise Refused(503, "service.busy", "Other files are being received. Try again in a minute.")
        self.taken_by[owner] += 1
        try:
            yield
        finally:
            self.taken_by -= Counter([owner])  # forgets who has none


def is_large(headers: Any) -> bool:
    """True when a body says that it is too large for most addresses."""
    length = headers.get("content-length") or ""
    return length.isdigit() and int(length) > BODY_MAX_BYTES


def is_of_unknown_length(headers: Any) -> bool:
    """True for a body that comes in chunks."""
    return headers.get("content-length") is None and headers.get("transfer-encoding") is not None


async def read_body(headers: Any, protocol: Any) -> Body:
    """Return a body of ordinary size. Raise Refused 408 or 413."""
    if is_of_unknown_length(headers):
        async with _within(BODY_SECONDS):
            data = b"".join([part async for part in _at_most(protocol, BODY_MAX_BYTES)])
    elif headers.get("content-length"):
        async with _within(BODY_SECONDS):
            data = await protocol()  # the server reads no more than its length, which was looked at
    else:
        return empty()
    return Body(io.BytesIO(data), len(data))


async def read_upload(protocol: Any) -> Body:
    """Return a large body, in a file that goes with it. Raise Refused 408 or 413."""
    file: Any = tempfile.TemporaryFile()  # noqa: SIM115  closed with the body; nobody else can open it
    try:
        async with _within(UPLOAD_SECONDS):
            async for part in _at_most(protocol, UPLOAD_MAX_BYTES):
                file.write(part)
    except BaseException:
        file.close()
        raise
    length = file.tell()
    file.seek(0)
    return Body(file, length)


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refused(408, "request.timeout", f"The body was not complete after {seconds} seconds.") from None


async def _at_most(protocol: Any, most: int) -> AsyncIterator[bytes]:
    size = 0
    async for part in protocol:
        size += len(part)
        if size > most:
            raise Refused(413, "request.tooLarge", f"A body may have {most:,} bytes.")
        yield part
