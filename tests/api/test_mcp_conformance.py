"""The official conformance runner against /mcp. .ci/run asks for it where npm is (LEADWIRE_CONFORMANCE=1)."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from accounts.models import Membership
from api.services import make_token

pytestmark = pytest.mark.django_db(transaction=True)
RUNNER = ["npx", "-y", "-p", "node@22", "-p", "@modelcontextprotocol/conformance@0.1.16", "conformance", "server"]
SCENARIOS = ["server-initialize", "ping", "tools-list", "dns-rebinding-protection"]
ASKED_FOR = SCENARIOS if os.environ.get("LEADWIRE_CONFORMANCE") and shutil.which("npx") else []


@pytest.fixture
def with_key(live_server, dana, actor) -> Iterator[str]:
    """The runner cannot show a key: a proxy adds it, and leaves host and origin as they are."""
    key = make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Agent", scopes=["leads:read"])[1]

    class Proxy(http.server.BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {**dict(self.headers), "Authorization": f"Bearer {key}"}
            request = urllib.request.Request(
                f"{live_server.url}{self.path}", data=body or None, headers=headers, method=self.command
            )
            try:
                answer = urllib.request.urlopen(request, timeout=20)
            except urllib.error.HTTPError as error:
                answer = error
            said = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Allow"):
                if answer.headers.get(name):
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scenario", ASKED_FOR)
def test_the_runners_scenario_passes(with_key, scenario):
    done = subprocess.run(
        [*RUNNER, "--url", with_key, "--scenario", scenario], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
