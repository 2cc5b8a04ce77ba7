"""The README's loop works as pasted."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from config.supervisor.stack import ROOT

pytestmark = pytest.mark.processes


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
