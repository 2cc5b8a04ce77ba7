"""`run` the product with its demo, or `exec -- COMMAND` with a database and a broker at hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from supervisor.children import die_with_parent
from supervisor.stack import ROOT, Servers, Stack, only_one, own_secrets

# What a command gets that does not say otherwise: receivers and mail servers of tests are on loopback.
TEST_SETTINGS = {
    "LEADWIRE_PLAIN_STATIC": "1",
    "LEADWIRE_ALLOW_NETWORKS": "127.0.0.0/8,::1/128",
    "LEADWIRE_ALLOW_HTTP_WEBHOOKS": "1",
    "LEADWIRE_NO_TIMEOUTS": "0",
}

WELCOME = """
Leadwire is running: {url}

  Log in as     {who}
  Password      {password}
  Operator      operator@leadwire.example (same password), {url}/admin/

  What to click first
    1. {url}/sources/ , then Westgate, then Messaging settings: turn the Lead Reply API on.
    2. The Inbox: answer Ava, and look into her mailbox at {url}/demo/mail/
    3. Write an SMS or a WhatsApp message at {url}/demo/phone/ and answer it in the Inbox.
    4. Eastgate's form makes the loop close by itself: the demo's CRM hears of the lead and answers it.

  Mail of leads comes in by SMTP on port {mail_port}. Logs are in {logs}. Ctrl-C stops everything.
"""


def run() -> None:
    folder = ROOT / ".data"
    lock = only_one(folder)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        with Servers(folder, durable=True) as servers:
            stack = Stack(folder, servers.env)
            stack.prepare()
            try:
                stack.start()
                print(_welcome(stack), flush=True)
                stack.watch()
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                print("Stopping…", flush=True)
                stack.stop()
    except KeyboardInterrupt:
        pass
    finally:
        lock.close()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


EMPTY = """
Leadwire is running: {url}

  The database is your own, so the demo and its known passwords are left out (LEADWIRE_DEMO=1 puts them in).
  Create the first operator:  {python} manage.py createsuperuser
  Then {url}/admin/ : an organization, and its owner as a member.

  Logs are in {logs}. Ctrl-C stops everything.
"""


def _welcome(stack: Stack) -> str:
    if not stack.has_demo:
        return EMPTY.format(url=stack.base_url, python=sys.executable, logs=stack.logs)
    from demo.accounts import LOGIN, PASSWORD

    values = {"url": stack.base_url, "who": LOGIN, "password": PASSWORD}
    return WELCOME.format(**values, mail_port=stack.mail_port, logs=stack.logs)


def execute(command: list[str]) -> int:
    """Run one command with throw-away servers; return its exit code."""
    with tempfile.TemporaryDirectory(prefix="leadwire-") as name:
        folder = Path(name)
        with Servers(folder, durable=False) as servers:
            env = {**TEST_SETTINGS, **os.environ, **servers.env, **own_secrets(folder)}
            child = subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=die_with_parent(signal.SIGTERM))
            while True:
                try:
                    return child.wait()
                except KeyboardInterrupt:  # the child got it too; wait for its last words
                    continue


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        run()
        return 0
    if arguments[:2] == ["exec", "--"] and arguments[2:]:
        return execute(arguments[2:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
