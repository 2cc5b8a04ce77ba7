"""What the docs say to callers, run against a live server, in every language that is on the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from accounts.models import Membership
from api.services import make_token
from conversations.models import Message
from messaging.files import store
from supervisor.stack import ROOT
from tests.support.files import PDF

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = ROOT / "docs" / "quickstart"
PROGRAMS = {"sh": shutil.which("curl") and shutil.which("sh"), "py": sys.executable, "mjs": shutil.which("node")}
PRESENT = [suffix for suffix, program in PROGRAMS.items() if program]


@pytest.mark.parametrize("suffix", PRESENT)
def test_it_does_what_it_says_and_twice_does_it_once(live_server, dana, actor, plumbing, key_of, suffix):
    key_of(plumbing)
    scopes = ["leads:write", "conversations:write", "channels:read"]
    token = make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Quick", scopes=scopes)[1]
    env = {
        **os.environ,
        "LEADWIRE_URL": live_server.url,
        "LEADWIRE_TOKEN": token,
        "LEADWIRE_SOURCE": plumbing.public_id,
    }
    for _ in range(2):
        command = [str(PROGRAMS[suffix]), str(FOLDER / f"quickstart.{suffix}")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "queued"
    assert Message.objects.filter(content="We can come today at four.").count() == 1


@pytest.mark.usefixtures("file_store")
def test_a_file_is_sent_as_the_page_of_channels_says(live_server, settings, eastgate, key_of, lead_at, tmp_path):
    settings.BASE_URL = live_server.url
    [commands] = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "channels.md").read_text(), re.DOTALL)
    (tmp_path / "offer.pdf").write_bytes(PDF)
    env = {
        **os.environ,
        "LEADWIRE_URL": live_server.url,
        "LEADWIRE_KEY": key_of(eastgate),
        "LEAD": lead_at(eastgate).public_id,
    }
    done = subprocess.run(["sh", "-euc", commands], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    attachment = Message.objects.get(content="Our offer.").attachments.get()
    assert (attachment.name, store.get(attachment.key)) == ("offer.pdf", PDF)
