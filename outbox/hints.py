"""Tell the worker that there is something to do. A hint may be lost: the worker looks every second anyway.

A request never touches the broker: with the broker refused a publish takes 0.6 s, with it stalled 15 s. One thread of
the process sends at most one hint for each lane kind in 100 ms.
"""

from __future__ import annotations

import logging
import os
import threading

from celery import current_app
from django.conf import settings

logger = logging.getLogger(__name__)

MINIMUM_GAP_SECONDS = 0.1
EXPIRES_SECONDS = 2
JOBS, MAIL, FILES, IMPORTS = "jobs", "mail", "files", "imports"  # queues of jobs
QUEUES = {"webhook": "deliver", "channel": "send"}
WAKE, RUN_JOBS = "outbox.wake", "outbox.run-due-jobs"  # names of tasks (outbox/tasks.py)


class Hinter:
    """The thread and what it has to say."""

    def __init__(self) -> None:
        self.pending: set[str] = set()
        self.wanted = threading.Event()
        self.started_in = 0
        self.lock = threading.Lock()

    def add(self, kind: str) -> None:
        self.pending.add(kind)
        self.wanted.set()
        if self.started_in != os.getpid():  # the first hint of this process, perhaps after a fork
            with self.lock:
                if self.started_in != os.getpid():
                    self.started_in = os.getpid()
                    threading.Thread(target=self._run, name="hints", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            while self.pending:
                self._send(self.pending.pop())
            threading.Event().wait(MINIMUM_GAP_SECONDS)

    def _send(self, kind: str) -> None:
        try:
            name = WAKE if kind in QUEUES else RUN_JOBS
            how = {"queue": QUEUES.get(kind, kind), "expires": EXPIRES_SECONDS, "retry": False, "ignore_result": True}
            current_app.send_task(name, [kind], **how)
        except Exception as error:  # whatever the broker's client raises: the worker's own look is the safety net
            logger.info("no hint sent: %s", error)


_hinter = Hinter()


def send(kind: str) -> None:
    """Hint that work of this kind waits. Returns at once."""
    if settings.BROKER_URL:
        _hinter.add(str(kind))
