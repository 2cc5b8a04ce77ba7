"""An SMTP server that does something odd, once, at one step of its dialogue."""

from __future__ import annotations

import socketserver
import threading
import time

GOOD = {
    "greeting": "220 hello",
    "ehlo": "250 hello",
    "mail": "250 ok",
    "rcpt": "250 ok",
    "data": "354 go",
    "dot": "250 ok",
}


class Dialogue(socketserver.StreamRequestHandler):
    """What the server says on one connection."""

    server: OddServer

    def handle(self) -> None:
        self.say("greeting")
        while line := self.rfile.readline():
            word = line[:4].lower().decode().strip()
            if word == "quit" or not self.answer(word):
                return

    def answer(self, word: str) -> bool:
        """Answer a command; False: hang up."""
        if word == "data":
            return not self.say("data") or self.take_mail()
        if word not in ("ehlo", "mail", "rcpt"):
            self.wfile.write(b"250 ok\r\n")
        elif self.server.hangs_up_at(word):
            return False
        else:
            self.say(word)
        return True

    def say(self, step: str) -> bool:
        answer = self.server.answer_for(step)
        if answer is not None:
            self.wfile.write(f"{answer}\r\n".encode())
        return answer is not None and answer == GOOD[step]

    def take_mail(self) -> bool:
        """Take a mail; False: hang up."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        if self.server.step == "block" and self.server.oddity:
            self.server.oddity = ""
            return False
        is_refused = self.server.step == "dot" and self.server.oddity[:1] in ("4", "5")
        if line and not is_refused:
            self.server.took.append(b"".join(lines))
        return self.say("dot") or is_refused


class OddServer(socketserver.ThreadingTCPServer):
    """Listens on a free port; `took` holds the mails that it is responsible for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Dialogue)
        self.step = ""
        self.oddity = ""  # slow, drop, or an answer
        self.seconds = 0.0
        self.took: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer_for(self, step: str) -> str | None:
        """What is said at a step; None: nothing more, the connection ends."""
        if step != self.step or not self.oddity:
            return GOOD[step]
        oddity, self.oddity = self.oddity, ""
        if oddity == "slow":
            time.sleep(self.seconds)
            return GOOD[step]
        return None if oddity == "drop" else oddity

    def hangs_up_at(self, step: str) -> bool:
        """Whether the connection ends here without an answer, once."""
        hangs_up = self.step == step and self.oddity == "drop"
        if hangs_up:
            self.oddity = ""
        return hangs_up
