"""Watch mailboxes in a process that kills itself at a named point: `python -m tests.support.killed_watcher POINT`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from messaging.mailbox import fetching, watching  # noqa: E402
from messaging.mailbox.inbox import Inbox  # noqa: E402
from messaging.models import MailFolder  # noqa: E402

# Where, whether before or after it, and at which call.
POINTS: dict[str, tuple[Any, str, bool, int]] = {
    "after-login": (Inbox, "_log_in", False, 1),
    "after-select": (Inbox, "select_folder", False, 1),
    "before-search": (Inbox, "search", True, 1),
    "after-sizes": (Inbox, "fetch", False, 1),
    "after-fetch": (Inbox, "fetch", False, 2),
    "before-first-kept": (fetching, "keep", True, 1),
    "amid-portion": (fetching, "keep", False, 20),
    "before-commit": (MailFolder, "save", False, 1),
    "after-commit": (fetching, "_keep_some", False, 1),
    "before-idle": (watching, "_begin_idle", True, 1),
}


def arm(place: Any, name: str, is_before: bool, count: int) -> None:
    """Kill this process before or after the call of this number."""
    original: Callable[..., Any] = getattr(place, name)
    calls = 0

    def armed(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if is_before and calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **more)
        if not is_before and calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, name, armed)


if __name__ == "__main__":
    if sys.argv[1:]:
        arm(*POINTS[sys.argv[1]])
    call_command("fetch_mail")
