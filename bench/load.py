"""A small load generator: keep-alive connections over plain sockets, light enough to share the cores."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

MakeRequest = Callable[[int], bytes]  # from a call's number to the bytes of its request
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Outcome:
    """What came back: status codes and seconds each."""

    seconds: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, part: float) -> float:
        """Milliseconds that `part` of the calls stayed under."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def request(path: str, key: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> int:
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return int(head[9:12])


async def once(port: int, raw: bytes) -> int:
    """Make one call; return its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    status = await _call(reader, writer, raw)
    writer.close()
    return status


async def closed_loop(port: int, make: MakeRequest, *, connections: int, seconds: float) -> Outcome:
    """Every connection calls again as soon as it has its answer."""
    outcome, number = Outcome(seconds), iter(range(1 << 40))
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            outcome.statuses[await _call(reader, writer, make(next(number)))] += 1
            outcome.latencies.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return outcome


async def open_loop(port: int, make: MakeRequest, *, rate: float, connections: int, seconds: float) -> Outcome:
    """Calls begin at their time whether or not earlier ones have ended; waiting for a connection counts."""
    outcome = Outcome(seconds)
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def one(number: int, due: float) -> None:
        reader, writer = await free.get()
        outcome.statuses[await _call(reader, writer, make(number))] += 1
        outcome.latencies.append(time.perf_counter() - due)
        free.put_nowait((reader, writer))

    begin, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    return outcome
