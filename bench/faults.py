"""The faults that a chaos run makes, and which of its copies they explain."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from bench.witness import Seen, Witness
from supervisor.children import Child
from supervisor.stack import Stack

# An answer that came so shortly before a fault may not be written down yet. Results are written in batches of 20 ms, but
# some twenty processes, which start all the time, share this machine's cores here.
FORGIVEN_SECONDS = 0.5
RECONNECTED_SECONDS = 1.0  # results that waited for the database are tried every half a second
DATABASE_RESTARTED = "database restarted"
GENTLE_SECONDS = 30  # a process that was asked to end has ended by then
STOPPED_SECONDS = (0.1, 2.0)
_BREAK = """
SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2) AS victims
"""


@dataclass
class Fault:
    """Something that was done to a process, from `at` until `ends_at`, in seconds of the wall clock."""

    kind: str
    name: str
    at: float
    ends_at: float

    def explains(self, copy: Seen, earlier: Seen, lease: float, outages: Sequence[Fault] = ()) -> bool:
        """True when it came in the moment of sending the earlier request, or held the copy back past its lease.

        While the database is away (`outages`) no answer can be written down, so that moment lasts until it is back.
        """
        answered = earlier.answered_at or copy.came_at
        # How late this receiver came to its answer is how late other processes of the machine run at that moment.
        written = answered + FORGIVEN_SECONDS + 2 * (answered - earlier.came_at)
        for outage in outages:
            if outage.at <= written and earlier.came_at <= outage.ends_at:
                written = max(written, outage.ends_at + RECONNECTED_SECONDS)
        cut = earlier.came_at - FORGIVEN_SECONDS <= self.at <= written
        late = self.ends_at - self.at > lease and 0 <= copy.came_at - self.ends_at <= FORGIVEN_SECONDS
        return cut or late


class Faults(threading.Thread):
    """Makes one every half to two seconds until told to stop, and every ten seconds two at once.

    Children are started by the main thread alone (PDEATHSIG), so what ends here is started again there.
    """

    def __init__(self, stack: Stack, workers: list[str], others: list[str], lease: float) -> None:
        super().__init__(daemon=True)
        self.stack, self.workers, self.others, self.lease = stack, workers, others, lease
        self.stopping = threading.Event()
        self.made: list[Fault] = []
        self.asked: list[tuple[Child, float]] = []  # those that were asked to end, and when

    def run(self) -> None:
        last_two = time.monotonic()
        while not self.stopping.wait(random.uniform(0.5, 2)):
            count = 1
            if time.monotonic() - last_two > 10:
                count, last_two = 2, time.monotonic()
            for name in random.sample(self.workers, count):
                self._choose()(name)

    def note(self, kind: str, at: float) -> None:
        """Remember what was done to a server, from `at` until now."""
        self.made.append(Fault(kind, "", at, time.time()))

    def counts(self) -> dict[str, int]:
        """How many there were of each kind."""
        return {
            kind: sum(fault.kind == kind for fault in self.made) for kind in sorted({fault.kind for fault in self.made})
        }

    def unexplained(self, witness: Witness) -> list[str]:
        """Say which requests came after their event had been answered with success, where no fault says why."""
        # Only what befell a worker of the outbox: the others send no webhooks.
        faults = [
            fault for fault in self.made if fault.kind in ("killed", "stopped") and fault.name.startswith("worker")
        ]
        outages = [fault for fault in self.made if fault.kind == DATABASE_RESTARTED]
        return [
            self._story(copy, earlier)
            for copy, earlier in witness.copies()
            if not any(fault.explains(copy, sent, self.lease, outages) for fault in faults for sent in earlier)
        ]

    def _story(self, copy: Seen, earlier: list[Seen]) -> str:
        first = earlier[0].came_at
        answers = ", ".join(
            f"{fault.came_at - first:+.3f} to {(fault.answered_at or 0) - first:+.3f} s" for fault in earlier
        )
        near = [fault for fault in self.made if first - 1 < fault.ends_at and fault.at < copy.came_at + 1]
        told = ", ".join(
            f"{fault.kind} {fault.name} {fault.at - first:+.3f} to {fault.ends_at - first:+.3f} s" for fault in near
        )
        return f"{copy.webhook_id} answered {answers}; again {copy.came_at - first:+.3f} s; {told or 'no fault'}"

    def overdue(self) -> list[str]:
        """Names of processes that were asked to end, and took too long."""
        return [child.name for child, at in self.asked if child.is_running and time.monotonic() - at > GENTLE_SECONDS]

    def _choose(self) -> Callable[[str], None]:
        kinds = [self._kill, self._pause_worker, self._pause_another, self._end, self._break_connections]
        return random.choices(kinds, weights=[5, 2, 1, 1, 1])[0]

    def _kill(self, name: str) -> None:
        self._signal(name, signal.SIGKILL, "killed")

    def _pause_worker(self, name: str) -> None:
        """Stop a worker and let it go on: mostly soon, sometimes when its leases have ended."""
        long = random.random() < 0.2
        self._pause(name, self.lease * 1.3 if long else random.uniform(*STOPPED_SECONDS))

    def _pause_another(self, name: str) -> None:
        """The web or the mail listener."""
        self._pause(random.choice(self.others), random.uniform(*STOPPED_SECONDS))

    def _pause(self, name: str, seconds: float) -> None:
        if child := self._signal(name, signal.SIGSTOP, "stopped", seconds):
            threading.Timer(seconds, _signal_group, [child, signal.SIGCONT]).start()

    def _end(self, name: str) -> None:
        """As each deploy does: nothing may come twice for that."""
        child = self._running(name)
        if child and not any(child is asked for asked, _ in self.asked):
            child.process.send_signal(signal.SIGTERM)
            self.made.append(Fault("ended gently", name, time.time(), time.time()))
            self.asked.append((child, time.monotonic()))

    def _break_connections(self, name: str) -> None:
        try:
            with psycopg.connect(self.stack.env["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(_BREAK)
        except psycopg.OperationalError:  # the database is being restarted
            return
        self.made.append(Fault("connections broken", "", time.time(), time.time()))

    def _signal(self, name: str, number: signal.Signals, kind: str, seconds: float = 0) -> Child | None:
        child = self._running(name)
        if child:
            now = time.time()
            self.made.append(Fault(kind, name, now, now + seconds))
            _signal_group(child, number)
        return child

    def _running(self, name: str) -> Child | None:
        return next((child for child in self.stack.children if child.name == name and child.is_running), None)


def _signal_group(child: Child, number: signal.Signals) -> None:
    if child.is_running:
        os.killpg(child.process.pid, number)
