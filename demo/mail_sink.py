"""A local SMTP server that keeps mails as files, so that the demo's leads have a mailbox to look into."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

MAILS_KEPT = 500


class Sink:
    """Takes every mail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        path = self.folder / f"{time.time_ns()}.eml"
        aside = path.with_suffix(".tmp")
        aside.write_bytes(envelope.content)
        aside.rename(path)
        for old in sorted(self.folder.glob("*.eml"))[:-MAILS_KEPT]:
            old.unlink(missing_ok=True)
        return "250 2.0.0 Kept"


def main(folder: Path, port: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    controller = Controller(Sink(folder), hostname="127.0.0.1", port=port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    controller.start()
    stop.wait()
    controller.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
