"""docs/operating.md works as pasted: a backup, its restore, an upgrade and a new encryption key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from supervisor.postgres import candidates
from supervisor.stack import ROOT

pytestmark = pytest.mark.processes


def test_the_commands_for_operators_work_as_pasted(running, place, tmp_path):
    assert place.create_lead("kept@example.net")[0] == 201
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    # As in a release's own folder, with its Python and PostgreSQL's programs on the path.
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    binaries = next(folder for folder in candidates() if (folder / "pg_restore").exists())
    path = os.pathsep.join([str(Path(sys.executable).parent), str(binaries), os.environ["PATH"]])
    url = running.stack.env["DATABASE_URL"]
    restored = f"{url.rpartition('/')[0]}/restored"
    try:
        done = subprocess.run(
            ["bash", "-c", "set -euo pipefail\n" + "\n".join(blocks)],
            cwd=tmp_path,
            env={**running.stack.env, "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(re.findall(r"secrets are encrypted with the newest key", done.stdout)) == 2
        with psycopg.connect(restored) as connection:
            rows = connection.execute("SELECT count(*) FROM leads_lead WHERE email = 'kept@example.net'").fetchone()
        assert rows == (1,)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
