"""Child processes that never outlive us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 45  # more than a stream may take to finish what is in flight


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return a preexec function: the child gets `death_signal` when its parent is gone (prctl(2)).

    The kernel watches the *thread* that started the child, so start children from the main thread only.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # the parent died before prctl was in force
            os._exit(1)

    return in_child


class Child:
    """One running process with a name a person can read."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
        stdin: bytes | None = None,
        folder: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.stop_signal = stop_signal
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(env) if env is not None else None,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
            cwd=folder,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the supervisor
            preexec_fn=die_with_parent(stop_signal),
        )
        if stdin is not None and self.process.stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to end, wait, and insist after `STOP_SECONDS`."""
        if self.is_running:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not stop in {STOP_SECONDS} s, killing it", file=sys.stderr)
        # Pool children share the group; nobody of it may hold a port when we are gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait_until(ready: Callable[[], bool], *, child: Child, seconds: float, log: Path) -> None:
    """Poll `ready`; raise SystemExit with the end of the log when the child ends or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        if not child.is_running:
            raise SystemExit(f"{child.name} ended with code {child.process.returncode}:\n{tail(log)}")
        time.sleep(0.05)
    raise SystemExit(f"{child.name} was not ready within {seconds:.0f} s:\n{tail(log)}")


def tail(path: Path, lines: int = 30) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
