"""The parts that a bench runs: servers, web processes, a source with a lead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supervisor.stack import Servers, Stack

SET_UP = """
import json
from accounts.actors import SYSTEM
from accounts.models import Membership, Organization, User
from api.services import make_token
from conversations.services.forms import Submission, take_submission
from integrations import services as cards
from sources.services import create_source
from leads.models import Lead
from leads.services import Details
organization = Organization.objects.create(name="Bench")
owner = User.objects.create(email="owner@example.net", name="Owner")
member = Membership.objects.create(user=owner, organization=organization, role="owner")
_, token = make_token(creator=member, actor=SYSTEM, name="Bench", scopes=["leads:write"])
source = create_source(organization=organization, actor=SYSTEM, name="Bench")
key = cards.set_up(card=source.leadreplyapi, actor=SYSTEM).secrets["Secret key"]
cards.set_up(card=source.restwebhook, actor=SYSTEM, url="http://127.0.0.1:9/hook")
for card in (source.leadreplyapi, source.restwebhook):
    cards.switch(card=card, on=True, actor=SYSTEM)
leads = []
for number in range(50):
    details = Details(first_name="Ava", email=f"ava{number}@example.net")
    take_submission(source=source, submission=Submission(details, "My tap leaks.", nonce=str(number)))
    leads.append(Lead.objects.latest("id").public_id)
print(json.dumps({"source": source.public_id, "key": key, "token": token, "leads": leads}))
"""


@dataclass(frozen=True)
class Place:
    """A source with both cards on: its public id, the Lead Reply API's key, an API token, and leads' public ids."""

    source: str
    key: str
    token: str
    leads: list[str]


@contextmanager
def servers(*, is_migrated: bool = True) -> Iterator[tuple[Servers, Stack]]:
    """Embedded servers with every commit on disk, a migrated database, nothing else running."""
    for name in ("DATABASE_URL", "BROKER_URL"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="leadwire-bench-") as name:
        folder = Path(name)
        with Servers(folder, durable=True) as running:
            stack = Stack(folder, running.env)
            # The limit is counted as in life, and is never reached.
            stack.env |= {"LEADWIRE_CALLS_PER_MINUTE": str(10**9), "LEADWIRE_CALLS_PER_HOUR": str(10**9)}
            stack.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
            if is_migrated:
                stack.manage("migrate", "--verbosity", "0", LEADWIRE_NO_TIMEOUTS="1")
            try:
                yield running, stack
            finally:
                stack.stop()


def inside(stack: Stack, code: str, words: str = "") -> str:
    """Run code in the product's own Django and return its last line."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    done = subprocess.run(
        command, cwd=stack.root, env=stack.env, input=words, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()[-1]


def set_up(stack: Stack) -> Place:
    """Make a source with 50 leads. Its webhook leads nowhere, and nothing delivers."""
    return Place(**json.loads(inside(stack, SET_UP)))
