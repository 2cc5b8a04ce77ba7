"""A receiver of webhooks that remembers every request, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """One request: what it carried, and when it came and was answered."""

    webhook_id: str
    conversation: str
    sequence: int
    is_aside: bool
    came_at: float
    headers: dict[str, str]
    body: bytes
    answered_at: float | None = None
    status: int = 0


Answer = Callable[[Seen, int], int]  # the request and how often its id was seen before -> status


@dataclass
class Witness:
    """An HTTP server in a thread of its own."""

    answer: Answer = lambda seen, before: 200
    delay: float = 0.02
    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)

    def start(self) -> Witness:
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()
        return self

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        ready.set()
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                seen = self._remember(headers, body)
                status = self.answer(seen, self.times[seen.webhook_id] - 1)
                await asyncio.sleep(self.delay)
                writer.write(f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
                seen.status, seen.answered_at = status, time.time()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    def _remember(self, headers: dict[str, str], body: bytes) -> Seen:
        event: dict[str, Any] = json.loads(body)
        conversation = event["data"].get("conversation", {}).get("id", "")
        is_aside = headers.get("webhook-out-of-order") == "true"
        seen = Seen(headers["webhook-id"], conversation, event["sequence"], is_aside, time.time(), headers, body)
        self.times[seen.webhook_id] += 1
        self.requests.append(seen)
        return seen

    def delivered(self) -> set[str]:
        """Ids that were answered with success."""
        return {seen.webhook_id for seen in self.requests if 200 <= seen.status < 300}

    def copies(self) -> list[tuple[Seen, list[Seen]]]:
        """Requests of ids that had been answered with success before, each with those."""
        done: dict[str, list[Seen]] = {}
        copies = []
        for seen in self.requests:
            if seen.webhook_id in done:
                copies.append((seen, list(done[seen.webhook_id])))
            if 200 <= seen.status < 300:
                done.setdefault(seen.webhook_id, []).append(seen)
        return copies

    def duplicates(self) -> int:
        """How many came again that had been answered with success."""
        return len(self.copies())

    def exposed(self, killed_at: float, *, seconds: float = 0.1, of: set[str] | None = None) -> int:
        """Requests that were open at a kill, or answered shortly before: only these may come twice.

        `of` narrows them to some ids: those whose answers were not written down.
        """
        flight = 0.1 if of else 0.0  # what the dead process had sent is read a moment later
        return sum(
            seen.came_at <= killed_at + flight and (seen.answered_at is None or seen.answered_at > killed_at - seconds)
            for seen in list(self.requests)
            if of is None or seen.webhook_id in of
        )
