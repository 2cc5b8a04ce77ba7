"""The README's loop works as pasted."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from supervisor.stack import ROOT
from tests.processes.conftest import inside

pytestmark = pytest.mark.processes
NEWEST = "SELECT name FROM accounts_organization WHERE name LIKE 'x%' ORDER BY id DESC LIMIT 1"  # the place's own
TOKEN = """
from accounts.actors import SYSTEM
from accounts.models import Membership
from api.services import make_token
creator = Membership.objects.get(organization__name="NAME")
print(make_token(creator=creator, actor=SYSTEM, name="Feed", scopes=["webhooks:write"])[1])
"""


def test_the_loop_of_the_readme_works_as_pasted(running, tmp_path):
    text = (ROOT / "README.md").read_text()
    loop = text.partition("<!-- loop")[2].partition("<!-- /loop -->")[0]
    blocks = re.findall(r"```sh\n(.*?)```", loop, re.DOTALL)
    assert len(blocks) == 5
    (tmp_path / ".data").symlink_to(running.stack.folder)
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "LEADWIRE": running.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"kind":"source_key"' in done.stdout
    assert '"status":"queued"' in done.stdout
    assert '"status":"sent"' in done.stdout


def test_the_commands_of_the_receivers_page_work_as_pasted(running, place):
    page = (ROOT / "docs" / "webhooks.md").read_text()
    made, command = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)  # a webhook, then the feed
    code = TOKEN.replace("NAME", place.sql(NEWEST)[0][0])
    token = inside(running, code, "").splitlines()[-1]

    def run(pasted: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{pasted.replace('http://localhost:8000', running.url)}"],
            env={**os.environ, "TOKEN": token},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert '"secret":"whsec_' in run(made)
    assert place.create_lead("feed@example.net")[0] == 201
    said = ""
    for _ in range(50):
        said = run(command)
        if '"feed_position":1' in said:
            return
    raise AssertionError(said)
