"""A source of its own on the running product, with a real receiver behind its webhook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from supervisor import ports
from supervisor.stack import ROOT, WEB
from tests.support.product import Running

SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Membership, Organization, User
from integrations import services as cards
from api import services as tokens
from sources.services import create_source
name, url = sys.stdin.read().split()
organization = Organization.objects.create(name=name)
user = User.objects.create_user(f"{name}@example.com", None)
owner = Membership.objects.create(organization=organization, user=user, role="owner")
source = create_source(organization=organization, actor=SYSTEM, name=name)
key = cards.set_up(card=source.leadreplyapi, actor=SYSTEM).secrets["Secret key"]
cards.switch(card=source.leadreplyapi, on=True, actor=SYSTEM)
signing = cards.set_up(card=source.restwebhook, actor=SYSTEM, url=url).secrets["Signing secret"]
cards.switch(card=source.restwebhook, on=True, actor=SYSTEM)
token = tokens.make_token(creator=owner, actor=SYSTEM, name="x", scopes=["leads:write"])[1]
print(json.dumps({"source": source.public_id, "key": key, "token": token, "signing": signing}))
"""


@dataclass
class Place:
    """One source of the running product, as its callers know it."""

    running: Running
    source: str
    key: str
    token: str
    signing: str
    url: str = ""  # another web server's

    def call(self, method: str, path: str, body: Any = None, key: str | None = None, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.url or self.running.url}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {key or self.key}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else {"retry_after": error.headers.get("Retry-After")}

    def create_lead(self, email: str, **fields: Any) -> tuple[int, Any]:
        body = {"first_name": "Ava", "request_title": "Tap", "identifier_type": "email", "email": email, **fields}
        return self.call("POST", "/v1/leads", body, self.token)

    def reply(self, lead: str, content: str, **headers: str) -> tuple[int, Any]:
        return self.call("POST", f"/v1/leads/{lead}/conversations/reply", {"content": content}, **headers)

    def form(self, **fields: str) -> tuple[int, Any]:
        return self.call("POST", f"/forms/{self.source}", fields)

    def mails(self, to: str) -> list[Any]:
        folder = Path(self.running.stack.env["DEMO_MAIL_DIR"])
        mails = [message_from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
        return [mail for mail in mails if mail["To"] == to]

    def sql(self, query: str) -> Any:
        import psycopg

        with psycopg.connect(self.running.stack.env["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


def inside(running: Running, code: str, words: str) -> str:
    """Run code in the product's own Django and return what it prints."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=running.stack.env, input=words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Web:
    """A web server beside the product's own, on the same database."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """All of its processes, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def another_web(running: Running, processes: int, without: tuple[str, ...] = ()) -> Iterator[Web]:
    """Start one; `without` names settings that it is to have by default."""
    port = ports.choose()
    address = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(processes)]
    command = [*map(str, WEB), *address, "config.web:application"]
    env = {name: value for name, value in running.stack.env.items() if name not in without}
    env |= {"LEADWIRE_WEB_THREADS": "20"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not ports.answers(port):
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.1)
        yield Web(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def place(running, receiver) -> Place:
    business = json.loads(inside(running, SET_UP, f"x{uuid4().hex} {receiver.url}").splitlines()[-1])
    return Place(running, **business)
