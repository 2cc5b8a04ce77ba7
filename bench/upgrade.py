"""The release before this one beside this one, and a dump that is restored: nothing may be lost.

    python -m bench.upgrade [--previous REF] [--events 60]

The database begins as the previous release made it. While the old web takes leads the database is migrated; then each
pair runs for a while: old web and old worker on the new schema, new web and old worker, old web and new worker. A new
worker on the old schema waits. At last everything is stopped with deliveries open, dumped, dropped, restored, and goes
on. Without --previous: the commit before the newest migration. Ends in a line `lost N, twice N, events N`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from bench.crash_stack import SET_UP, open_rows, post
from bench.place import inside, servers
from bench.witness import Witness
from supervisor.postgres import candidates
from supervisor.stack import ROOT, WORKER, Stack

TIME_SCALE = "0.1"
DRAINED_SECONDS = 60


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def before_the_newest_migration() -> str:
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "*/migrations/*.py")
    return f"{newest}^"


class Story:
    """Events posted and what is expected of them."""

    def __init__(self, stack: Stack, old: Path, witness: Witness) -> None:
        self.stack, self.old, self.witness = stack, old, witness
        self.token = ""
        self.posted = 0

    def use(self, name: str, *, is_old: bool) -> None:
        """Run the web server or the worker of one of the releases; the one before is stopped."""
        self.stop(name)
        self.stack.root = self.old if is_old else ROOT
        if name == "web":
            self.stack.start_web()
        else:
            self.stack._run("worker", [*WORKER, "-n", "outbox@%h", "-Q", "deliver,send", "-P", "threads", "-c", "2"])

    def stop(self, name: str) -> None:
        for child in [one for one in self.stack.children if one.name == name]:
            child.stop()
            self.stack.children.remove(child)

    def post(self, count: int) -> None:
        for _ in range(count):
            post(self.stack, self.token, self.posted)
            self.posted += 1

    def drain(self, what: str) -> None:
        deadline = time.monotonic() + DRAINED_SECONDS
        while len(self.witness.delivered()) < self.posted or open_rows(self.stack):
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: {len(self.witness.delivered())} of {self.posted} came in time")
            time.sleep(0.1)
        print(f"  {what}: {self.posted} of {self.posted}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--previous", default="", help="a tag or commit")
    parser.add_argument("--events", type=int, default=60, help="in each part")
    options = parser.parse_args()
    reference = options.previous or before_the_newest_migration()
    witness = Witness(delay=0.02).start()
    with tempfile.TemporaryDirectory() as folder, servers(is_migrated=False) as (_, plain):
        old = Path(folder) / "previous"
        git("worktree", "add", "--detach", str(old), reference)
        stack = Stack(plain.folder, {**plain.env, "LEADWIRE_TIME_SCALE": TIME_SCALE})
        stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
        try:
            sys.exit(run(stack, old, witness, options.events))
        finally:
            stack.stop()
            git("worktree", "remove", "--force", str(old))


def run(stack: Stack, old: Path, witness: Witness, count: int) -> int:
    story = Story(stack, old, witness)
    stack.root = old
    stack.manage("migrate", "--verbosity", "0", LEADWIRE_NO_TIMEOUTS="1")
    story.token = json.loads(inside(stack, SET_UP, f"x{uuid4().hex} {witness.url}"))["token"]
    story.use("web", is_old=True)
    story.use("worker", is_old=False)  # it waits: the database is behind it
    story.post(count)
    time.sleep(3)
    assert not witness.requests, "a new worker delivered from a database that is behind it"
    stack.root = ROOT
    stack.manage("migrate", "--verbosity", "0", LEADWIRE_NO_TIMEOUTS="1")
    story.drain("old web, new worker that waited for the migration")
    for web, worker in ((True, True), (False, True), (True, False), (False, False)):
        story.use("web", is_old=web)
        story.use("worker", is_old=worker)
        story.post(count)
        words = [f"{'old' if is_old else 'new'} {name}" for name, is_old in (("web", web), ("worker", worker))]
        story.drain(f"{' and '.join(words)} on the new schema")
    story.stop("worker")
    story.post(count)
    story.stop("web")
    restore(stack)
    story.use("web", is_old=False)
    story.use("worker", is_old=False)
    story.post(count)
    story.drain("dumped with open deliveries, dropped, restored")
    lost, twice = story.posted - len(witness.delivered()), witness.duplicates()
    print(f"lost {lost}, twice {twice}, events {story.posted}")
    return 0 if (lost, twice) == (0, 0) else 1


def restore(stack: Stack) -> None:
    """Dump the database, empty it, and put the dump back."""
    url, dump = stack.env["DATABASE_URL"], stack.folder / "dump"
    binaries = next(folder for folder in candidates() if (folder / "pg_dump").exists())  # the server's own
    subprocess.run([binaries / "pg_dump", "-Fc", "-f", dump, url], check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    subprocess.run([binaries / "pg_restore", "--no-owner", "--exit-on-error", "-d", url, dump], check=True)


if __name__ == "__main__":
    main()
