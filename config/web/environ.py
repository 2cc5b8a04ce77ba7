"""A request as WSGI has it (PEP 3333)."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote

Environ = dict[str, Any]

# What was true of the way here is not true of the body that Django gets.
NOT_PASSED_ON = {"content-length", "transfer-encoding", "connection", "expect"}


def environ_of(scope: Any) -> Environ:
    """Return the environ without a body. `scope`: RSGI's."""
    host, _, port = scope.server.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(scope.path, "latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        # An underscore would make X_Forwarded_For the same key as X-Forwarded-For, which a proxy of ours vouches for.
        if name in NOT_PASSED_ON or "_" in name:
            continue
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
