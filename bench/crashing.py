"""Run one process of the product that kills itself, once, at a named point.

    python -m bench.crashing POINT MARKER celery -A config worker ...

The points wrap the product's own functions here, so that the product carries no hooks. MARKER is the file that says
that it happened; while it exists nothing is killed.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HIT = 3  # how often the point is passed before: some events are through, others are under way

# Where each point lies: module, function, and whether the kill comes before it or after it.
POINTS: dict[str, tuple[str, str, str]] = {
    "before-insert": ("webhooks.publishing", "add_deliveries", "before"),
    "after-insert": ("webhooks.publishing", "add_deliveries", "after"),
    "after-commit": ("outbox.hints", "send", "before"),
    "after-claim": ("webhooks.delivery.stream", "load_destinations", "before"),
    "after-send": ("webhooks.delivery.stream", "attempt", "after"),
    "in-record": ("webhooks.delivery.results", "_log", "after"),
    "scheduling-a-retry": ("webhooks.delivery.results", "_try_again", "after"),
    "while-disabling": ("outbox.lanes", "_count_failures", "after"),
    "in-a-replay": ("webhooks.services.replays", "_in_order", "after"),
    "in-a-rotation": ("integrations.services", "_clear_verification", "before"),
}
AT_ONCE = {"scheduling-a-retry", "while-disabling", "in-a-replay", "in-a-rotation"}  # these are passed once


def armed(marker: Path) -> Path:
    """The file that says that the process is warm and the point counts from now on."""
    return marker.with_name(f"{marker.name}.armed")


def arm(point: str, marker: Path) -> None:
    """Wrap the point's function."""
    module_name, name, when = POINTS[point]
    module = importlib.import_module(module_name)
    setattr(module, name, _deadly(getattr(module, name), when, 1 if point in AT_ONCE else HIT, marker))


def _deadly(function: Callable[..., Any], when: str, hit: int, marker: Path) -> Callable[..., Any]:
    passed = 0

    def die(moment: str) -> None:
        nonlocal passed
        if moment != when or marker.exists() or not armed(marker).exists():
            return
        passed += 1
        if passed >= hit:
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            die("before")
            result = await function(*args, **kwargs)
            die("after")
            return result

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        die("before")
        result = function(*args, **kwargs)
        die("after")
        return result

    return called


def main() -> None:
    import django

    django.setup()
    arm(sys.argv[1], Path(sys.argv[2]))
    program, sys.argv = sys.argv[3], sys.argv[3:]
    if program.endswith("manage.py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module("celery", run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
