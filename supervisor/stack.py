"""All processes of one machine, in the order in which they need each other."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from supervisor import ports
from supervisor.children import Child, tail
from supervisor.limits import raise_open_files
from supervisor.postgres import Postgres
from supervisor.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(PYTHON).parent
CELERY: list[str | Path] = [BIN / "celery", "-A", "config"]
WORKER: list[str | Path] = [*CELERY, "worker", "--loglevel=warning", "--without-mingle", "--without-gossip"]
# Connections that send nothing cost next to nothing, so many are let in; a head has to be there in 15 s. A process that
# dies is started again, and when all shall end nobody waits for a request that does not.
WEB: list[str | Path] = [
    BIN / "granian", "--interface", "rsgi", "--loop", "uvloop", "--no-ws", "--log-level", "warning",
    "--backlog", "4096", "--backpressure", "4096", "--http1-header-read-timeout", "15000",
    "--respawn-failed-workers", "--workers-kill-timeout", "20",
]  # fmt: skip
WEB_PORT, MAIL_PORT, SINK_PORT, CRM_PORT, PHONE_PORT = 8000, 2525, 2526, 8010, 8020
WEB_WORKERS, WEB_THREADS = 2, 8
# What serves each queue of jobs: its processes, and how far they stand back where the machine has too much to do.
# Nobody waits for a replay or an import as for a page or an answer.
JOB_QUEUES = {"jobs": ("2", "10"), "mail": ("1", "5"), "files": ("1", "10"), "imports": ("1", "10")}
FIRST_PAGE_SECONDS = 60


class Servers(AbstractContextManager["Servers"]):
    """PostgreSQL and a broker: the environment's, else embedded ones under `folder`."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self.durable = durable
        self.running: list[Postgres | Valkey] = []
        self.env: dict[str, str] = {}

    def __enter__(self) -> Servers:
        try:
            for name, server in (
                ("DATABASE_URL", Postgres(self.folder, durable=self.durable)),
                ("BROKER_URL", Valkey(self.folder)),
            ):
                if name in os.environ or f"{name}_FILE" in os.environ:
                    continue
                self.running.append(server)
                self.env[name] = server.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self.running:
            self.running.pop().stop()


def only_one(folder: Path) -> IO[str]:
    """Hold the folder for this process. Raise SystemExit when another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("Leadwire is already running from this folder. Stop that one first (Ctrl-C).") from None
    os.set_inheritable(lock.fileno(), False)
    return lock


def own_secrets(folder: Path) -> dict[str, str]:
    """The installation's keys, made once."""
    path = folder / "secrets.json"
    if not path.exists():
        aside = path.with_suffix(".tmp")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            json.dump({"SECRET_KEY": secrets.token_urlsafe(50), "LEADWIRE_ENCRYPTION_KEYS": fernet_key}, file)
        aside.rename(path)
    stored: dict[str, str] = json.loads(path.read_text())
    return {name: value for name, value in stored.items() if name not in os.environ}


class Stack:
    """The product with its demo: web, workers, beat, mail in, and the other side: mail out, phones, a CRM."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        raise_open_files()
        self.folder = folder
        self.root = ROOT  # where the code is that is run
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.children: list[Child] = []
        self.recipes: dict[str, tuple[list[str | Path], dict[str, str]]] = {}
        self.port = ports.choose(int(os.environ.get("PORT", WEB_PORT)))
        self.mail_port = ports.choose(int(os.environ.get("MAIL_PORT", MAIL_PORT)))
        self.sink_port = ports.choose(SINK_PORT)
        self.crm_port = ports.choose(CRM_PORT)
        self.phone_port = ports.choose(PHONE_PORT)
        self.base_url = os.environ.get("BASE_URL", f"http://localhost:{self.port}")
        self.env = {
            **os.environ,
            **env,
            **own_secrets(folder),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "BASE_URL": self.base_url,
            "STATIC_ROOT": str(folder / "static"),
            "MEDIA_ROOT": str(folder / "files"),
            "LEADWIRE_COMPRESS_STATIC": "0",
            "LEADWIRE_ALLOW_NETWORKS": "127.0.0.0/8,::1/128",
            "LEADWIRE_ALLOW_HTTP_WEBHOOKS": "1",
            "EMAIL_URL": os.environ.get("EMAIL_URL", f"smtp://127.0.0.1:{self.sink_port}"),
            "DEMO_MAIL_DIR": str(folder / "demo-mail"),
        }
        if self.has_demo:
            phones = f"http://127.0.0.1:{self.phone_port}"
            self.env |= {
                "DEMO_PHONE_DIR": str(folder / "demo-phone"),
                "DEMO_PHONE_URL": phones,
                "LEADWIRE_TWILIO_URL": phones,
                "LEADWIRE_META_URL": f"{phones}/v1",
            }

    def prepare(self) -> None:
        """Migrate and seed, before anybody listens."""
        crm_url = f"http://127.0.0.1:{self.crm_port}"
        arguments = ["--crm-url", crm_url, "--secrets", str(self._crm_secrets)]
        arguments += ["--phones", str(self.folder / "demo-phone")]
        self.manage("demo", *arguments, *([] if self.has_demo else ["--empty"]), LEADWIRE_NO_TIMEOUTS="1")

    @property
    def has_demo(self) -> bool:
        """True where the demo's known passwords open nothing that matters: on our own database, or if asked for."""
        return "DATABASE_URL" not in os.environ or os.environ.get("LEADWIRE_DEMO") == "1"

    def manage(self, *words: str, **more: str) -> None:
        """Run one management command. Raise SystemExit when it fails."""
        done = subprocess.run([PYTHON, "manage.py", *words], cwd=self.root, env={**self.env, **more})
        if done.returncode:
            raise SystemExit(done.returncode)

    def start(self) -> None:
        """Start everything; return when the first page can be had."""
        self._run("mail-sink", [PYTHON, "-m", "demo.mail_sink", self.folder / "demo-mail", str(self.sink_port)])
        if self.has_demo:
            leadwire, phones = f"http://127.0.0.1:{self.port}", self.folder / "demo-phone"
            self._run("phones", [PYTHON, "-m", "demo.phone_network", phones, str(self.phone_port), leadwire])
        self._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"])
        for queue in JOB_QUEUES:
            self.start_jobs(queue)
        self._run("beat", [*CELERY, "beat", "--loglevel=warning", "-s", self.folder / "beat-schedule", "--pidfile="])
        self.start_mail()
        self._run("fetch-mail", [PYTHON, "manage.py", "fetch_mail"])
        self.start_web()
        self._start_crm()

    def start_jobs(self, queue: str) -> None:
        """Serve a queue of jobs."""
        processes, niceness = JOB_QUEUES[queue]
        self._run(queue, ["nice", "-n", niceness, *WORKER, "-n", f"{queue}@%h", "-Q", queue, "-c", processes])

    def start_mail(self) -> None:
        """Listen for mails."""
        self._run("receive-mail", [PYTHON, "manage.py", "receive_mail", "--port", str(self.mail_port)])

    def start_web(self, application: str = "config.web:application", **more: str) -> None:
        """Serve an application, and wait until it answers."""
        command = [*WEB, "--host", ports.LOOPBACK, "--port", str(self.port), "--workers", str(WEB_WORKERS), application]
        self._run("web", command, LEADWIRE_WEB_THREADS=str(WEB_THREADS), **more)
        self._wait_for_the_web()

    def _start_crm(self) -> None:
        if not self._crm_secrets.exists():
            return
        stored = json.loads(self._crm_secrets.read_text())
        more = {"LEADWIRE_URL": f"http://127.0.0.1:{self.port}", "LEADWIRE_KEY": stored["key"]}
        more["LEADWIRE_SIGNING_SECRET"] = stored["signing_secret"]
        self._run("crm", [PYTHON, "examples/crm/crm.py", str(self.crm_port)], **more)

    def stop(self) -> None:
        """Stop in the reverse order, so that nobody loses what it needs."""
        for child in reversed(self.children):
            child.process.send_signal(signal.SIGTERM) if child.is_running else None
        while self.children:
            self.children.pop().stop()

    def watch(self) -> None:
        """Return the moment a child ends by itself; that is never right."""
        while True:
            for child in self.children:
                if not child.is_running:
                    log = self.logs / f"{child.name}.log"
                    raise SystemExit(f"{child.name} ended with code {child.process.returncode}:\n{tail(log)}")
            time.sleep(0.5)

    @property
    def _crm_secrets(self) -> Path:
        return self.folder / "demo-crm.json"

    def child(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)

    def restart(self, name: str) -> None:
        """Start a child again that was stopped or killed."""
        gone = self.child(name)
        gone.stop()
        self.children.remove(gone)
        command, more = self.recipes[name]
        self._run(name, command, **more)

    def _run(self, name: str, command: list[str | Path], **more: str) -> None:
        self.recipes[name] = (command, more)
        with (self.logs / f"{name}.log").open("ab") as log:
            self.children.append(Child(name, command, env={**self.env, **more}, log=log, folder=self.root))

    def _wait_for_the_web(self) -> None:
        web = self.child("web")
        deadline = time.monotonic() + FIRST_PAGE_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except urllib.error.HTTPError as error:
                if error.code == 404:  # a bench's application answers, and has no such page
                    return
                time.sleep(0.1)
            except (urllib.error.URLError, OSError):
                if not web.is_running:
                    break
                time.sleep(0.1)
        raise SystemExit(f"The web server did not start:\n{tail(self.logs / 'web.log')}")
