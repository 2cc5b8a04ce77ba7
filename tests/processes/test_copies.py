"""Three copies of the product, in three folders, started by `make run` at the same moment, whichever ports are taken."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor import ports
from supervisor.postgres import NOBODY
from supervisor.stack import CRM_PORT, MAIL_PORT, PHONE_PORT, ROOT, SINK_PORT, WEB_PORT

pytestmark = pytest.mark.processes

START_SECONDS = 300
STOP_SECONDS = 60
AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
WHOSE = [
    "DATABASE_URL",
    "BROKER_URL",
    "EMAIL_URL",
    "BASE_URL",
    "PORT",
    "MAIL_PORT",
    "SECRET_KEY",
    "LEADWIRE_ENCRYPTION_KEYS",
]
NOT_RUN = {"tests", "docs", "bench"}
PARTS = [*(name for name in os.listdir(ROOT) if name.isidentifier() and name not in NOT_RUN), "Makefile", "manage.py"]


class Copy:
    """A checkout of its own that shares what is installed; `make run` is its one process group."""

    def __init__(self, folder: Path, as_nobody: bool) -> None:
        self.folder, self.log = folder, folder / "make-run.log"
        for part in PARTS:
            whole = ROOT / part
            (shutil.copytree if whole.is_dir() else shutil.copy2)(whole, folder / part)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.user = AS_NOBODY if as_nobody else {}
        if as_nobody:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder], check=True)

    def start(self) -> None:
        env = {
            name: value for name, value in os.environ.items() if name not in WHOSE and not name.startswith("LEADWIRE")
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "--no-print-directory", "run"],
                cwd=self.folder,
                env={**env, "HOME": str(self.folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Whoever starts the tests in the background has them ignore SIGINT, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                **self.user,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def url(self) -> str:
        """Wait for the line that says where it runs."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if running := re.search(r"Leadwire is running: (\S+)", self.output):
                return running[1]
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.2)

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait until all of it has ended. make itself ends by the signal."""
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(STOP_SECONDS) in (0, -signal.SIGINT), self.output

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def taken_ports() -> Iterator[None]:
    """Each port that the product likes best is somebody else's."""
    with ExitStack() as stack:
        for port in (WEB_PORT, MAIL_PORT, SINK_PORT, CRM_PORT, PHONE_PORT):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
            except OSError:
                continue  # somebody has it already: just as well
        yield


@pytest.fixture
def folders() -> Iterator[list[Path]]:
    """Three folders that an ordinary user may reach; pytest's own are closed to others."""
    top = Path(tempfile.mkdtemp(prefix="leadwire-copies-"))
    top.chmod(0o755)
    folders = [top / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    yield folders
    shutil.rmtree(top)


def may_run_python(user: int) -> bool:
    """True when this user reaches what is installed here (not so below a /root that is closed)."""
    try:
        done = subprocess.run([ROOT / ".venv/bin/python", "-c", "import django"], **AS_NOBODY)
    except PermissionError:
        return False
    return done.returncode == 0


def run_all(folders: list[Path], as_nobody: list[bool]) -> None:
    """Start them at the same moment, find each at an address of its own, and stop them."""
    copies = [Copy(folder, nobody) for folder, nobody in zip(folders, as_nobody, strict=True)]
    try:
        with taken_ports():
            for copy in copies:
                copy.start()
            urls = [copy.url() for copy in copies]
            assert len(set(urls)) == len(copies)
            for url in urls:
                with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
                    assert answer.status == 200
            for copy in copies:
                copy.interrupt()
            assert not [url for url in urls if ports.answers(int(url.rpartition(":")[2]))]
    finally:
        for copy in copies:
            copy.stop()


def test_three_copies_start_at_once_beside_each_other(folders):
    run_all(folders, [False, False, False])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can also be somebody else")
def test_copies_of_root_and_of_an_ordinary_user_start_at_once(folders):
    if not may_run_python(NOBODY):
        pytest.skip("an ordinary user cannot reach the installed packages here")
    run_all(folders, [True, False, True])
