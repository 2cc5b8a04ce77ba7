"""The streams that run in this process."""

from __future__ import annotations

from integrations.outbox.streams import Stream, StreamThread

_threads: dict[str, StreamThread] = {}


def add(kind: str, thread: StreamThread) -> None:
    _threads[kind] = thread


def wake(kind: str) -> None:
    """Let this process's stream look at once, if it has one of this kind."""
    stream: Stream | None = _threads[kind].stream if kind in _threads else None
    if stream:
        stream.wake()
