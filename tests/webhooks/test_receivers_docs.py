"""The receivers' code of docs/webhooks.md, run in every language that is on the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest

from core.secrets import make_private_key, make_signing_secret
from supervisor.stack import ROOT
from webhooks.signing import public_key, signature_header

RECEIVERS = ROOT / "examples" / "receivers"
JS_LIBRARY = ROOT / "tests" / "js" / "node_modules" / "standardwebhooks"
LANGUAGES = {"py": sys.executable, "mjs": "node", "php": "php", "rb": "ruby", "go": "go"}
PRESENT = {suffix: program for suffix, name in LANGUAGES.items() if (program := shutil.which(name))}
BODIES = [b"", b'{"type":"lead.created"}', '{"name":"Zoë 🌊 \u200f"}'.encode(), b"\x00\xff\xfe", b'{"a": "1\\n2"}\r\n']


@pytest.fixture(params=PRESENT, scope="module")
def verify(request, tmp_path_factory):
    """The program of one language; Go is compiled once."""
    command = [PRESENT[request.param], str(RECEIVERS / f"verify.{request.param}")]
    if request.param == "go":
        program = tmp_path_factory.mktemp("go") / "verify"
        subprocess.run(["go", "build", "-o", program, command[-1]], check=True)
        command = [str(program)]

    def run(secret: str, signature: str, *, body: bytes, webhook_id: str = "evt_1", timestamp: int | str = "") -> bool:
        words = [secret, webhook_id, str(timestamp), signature]
        return subprocess.run([*command, *words], input=body, check=False).returncode == 0

    return run


def sign(*secrets: str, body: bytes, timestamp: int) -> str:
    return signature_header(secrets, webhook_id="evt_1", timestamp=timestamp, body=body)


@pytest.mark.parametrize("body", BODIES)
def test_what_we_sign_verifies(verify, body):
    secret, now = make_signing_secret(), int(time.time())
    assert verify(secret, sign(secret, body=body, timestamp=now), body=body, timestamp=now)


def test_while_secrets_overlap_holders_of_either_verify(verify):
    old, new, now = make_signing_secret(), make_signing_secret(), int(time.time())
    signature = sign(new, old, body=b"{}", timestamp=now)
    assert verify(old, signature, body=b"{}", timestamp=now)
    assert verify(new, signature, body=b"{}", timestamp=now)
    assert not verify(make_signing_secret(), signature, body=b"{}", timestamp=now)


def test_what_was_changed_or_is_old_does_not_verify(verify):
    secret, now = make_signing_secret(), int(time.time())
    signature = sign(secret, body=b"{}", timestamp=now)
    assert not verify(secret, signature, body=b"{ }", timestamp=now)
    assert not verify(secret, signature, body=b"{}", timestamp=now + 1)
    assert not verify(secret, signature, body=b"{}", timestamp=now, webhook_id="evt_2")
    assert not verify(secret, "v1,é rubbish", body=b"{}", timestamp=now)
    assert not verify(secret, signature, body=b"{}", timestamp="soon")
    old = now - 301
    assert not verify(secret, sign(secret, body=b"{}", timestamp=old), body=b"{}", timestamp=old)


@pytest.mark.parametrize("suffix", [suffix for suffix in ("py", "mjs") if suffix in PRESENT])
def test_what_a_private_key_signs_verifies_with_its_public_key(suffix):
    old, new, now = make_private_key(), make_private_key(), int(time.time())

    def verify(key: str, signature: str, body: bytes, timestamp: int = now) -> bool:
        command = [PRESENT[suffix], str(RECEIVERS / f"verify_v1a.{suffix}"), key, "evt_1", str(timestamp), signature]
        return subprocess.run(command, input=body, check=False).returncode == 0

    for body in BODIES:
        signature = sign(new, old, body=body, timestamp=now)
        assert verify(public_key(old), signature, body)
        assert verify(public_key(new), signature, body)
        assert not verify(public_key(new), signature, body + b" ")
        assert not verify(public_key(make_private_key()), signature, body)
    assert not verify(public_key(old), "v1,AAAA v1a,é v1a", b"{}")
    assert not verify(public_key(old), sign(old, body=b"{}", timestamp=now - 301), b"{}", now - 301)


@pytest.mark.parametrize("program", [PRESENT["mjs"]] if JS_LIBRARY.exists() and "mjs" in PRESENT else [])
def test_the_javascript_library_verifies_it_for_holders_of_either_secret(program):
    """`npm ci --prefix tests/js` brings the library; .ci/run does it where npm is."""
    old, new, now = make_signing_secret(), make_signing_secret(), int(time.time())

    def verify(secret: str, signature: str, body: bytes) -> bool:
        command = [program, str(JS_LIBRARY.parent.parent / "verify.mjs"), secret, "evt_1", str(now), signature]
        return subprocess.run(command, input=body, check=False, stderr=subprocess.DEVNULL).returncode == 0

    for body in ('{"type":"lead.created"}', '{"name":"Zoë 🌊 \u200f"}', "{}"):
        signature = sign(new, old, body=body.encode(), timestamp=now)
        assert verify(old, signature, body.encode())
        assert verify(new, signature, body.encode())
        assert not verify(make_signing_secret(), signature, body.encode())
        assert not verify(new, signature, body.encode() + b" ")


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_the_page_shows_the_code_that_is_run(suffix):
    """docs/webhooks.md quotes the files, so that what people copy is what was tried."""
    page = (ROOT / "docs" / "webhooks.md").read_text()
    assert all(one.read_text().strip() in page for one in RECEIVERS.glob(f"*.{suffix}"))
