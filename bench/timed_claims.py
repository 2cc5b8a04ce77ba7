"""Run a Celery worker that writes how long each claim took: python -m bench.timed_claims FILE celery -A config ..."""

from __future__ import annotations

import functools
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any


def timed(claim: Callable[..., Any], path: str) -> Callable[..., Any]:
    """Wrap a claim: one line for each, the moment and the milliseconds."""
    log = open(path, "a", buffering=1)  # noqa: SIM115  for the life of the process

    @functools.wraps(claim)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        claimed = await claim(*args, **kwargs)
        log.write(f"{time.time():.3f} {(time.perf_counter() - started) * 1000:.2f}\n")
        return claimed

    return wrapped


if __name__ == "__main__":
    import django

    django.setup()
    from outbox import streams

    streams.claim_deliveries = timed(streams.claim_deliveries, sys.argv[1])
    sys.argv = sys.argv[2:]
    runpy.run_module("celery", run_name="__main__", alter_sys=False)
