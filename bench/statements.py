"""The statements of some calls, taken from PostgreSQL's own log, to be run again without the product: the floor."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.load import once
from supervisor.postgres import find_binaries
from supervisor.stack import Stack

FRESH = ":fresh"  # a random number, another one for each run of a script
_KNOWN_IDS = """
SELECT id FROM accounts_source UNION SELECT id FROM outbox_lane UNION SELECT id FROM leads_lead
UNION SELECT id FROM conversations_conversation UNION SELECT id FROM accounts_organization
UNION SELECT id FROM accounts_membership UNION SELECT id FROM api_apitoken
UNION SELECT id FROM lead_reply_api_replykey UNION SELECT id FROM lead_reply_api_leadreplyapi
UNION SELECT id FROM webhooks_restwebhook
"""
_KNOWN_DIGESTS = "SELECT digest FROM api_apitoken UNION SELECT digest FROM lead_reply_api_replykey"
_NEW = re.compile(
    r"'\{(?P<ids>[0-9a-f]{12}7[0-9a-f]{19})\}'::uuid\[\]"  # as psycopg writes a list with one UUIDv7
    r"|'(?P<id>[0-9a-f]{12}7[0-9a-f]{19})'::uuid"
    r"|'(?P<token>[0-9a-f]{32})'"
    r"|'\\x(?P<digest>[0-9a-f]{64})'"
    r"|'(?P<email>[0-9a-f]{32})@example\.net'"
)


@contextmanager
def logged_statements(stack: Stack) -> Iterator[None]:
    """Let PostgreSQL log every statement, and nothing else of use."""
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
        for setting in ("log_statement = 'all'", "log_line_prefix = '@@ '"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(1)
        yield
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")


def capture(stack: Stack, log: Path, calls: list[bytes]) -> list[list[str]]:
    """Make some calls, and return the statements of each. What they add gets new ids whenever they are run.

    The web has to run without prepared statements, whose log has parameters apart from them.
    """
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        known = {row[0].hex for row in connection.execute(_KNOWN_IDS)}
        known |= {bytes(row[0]).hex() for row in connection.execute(_KNOWN_DIGESTS)}
    with logged_statements(stack):
        return [_statements_of(stack, log, call, known) for call in calls]


def _statements_of(stack: Stack, log: Path, call: bytes, known: set[str]) -> list[str]:
    before = log.stat().st_size
    asyncio.run(once(stack.port, call))
    time.sleep(0.1)
    text = log.read_bytes()[before:].decode()
    lines = [line.strip() for line in re.findall(r"@@ LOG:  statement: (.*?)(?=\n@@ |\Z)", text, re.DOTALL)]
    new: dict[str, int] = {}
    return [" ".join(_NEW.sub(lambda match: _fresh(match, known, new), line).split()) for line in lines if line]


def _fresh(match: re.Match[str], known: set[str], new: dict[str, int]) -> str:
    """Return an expression for a value that the call made up: the same one wherever the value stands in its script."""
    kind, value = next((kind, value) for kind, value in match.groupdict().items() if value)
    if value in known:
        return match[0]
    text = f"md5(({FRESH} + {new.setdefault(value, len(new))})::text)"
    uuid = f"(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' || substr({text}, 1, 19))::uuid"
    return {
        "ids": f"ARRAY[{uuid}]",
        "id": uuid,
        "token": text,
        "digest": f"sha256({text}::bytea)",
        "email": f"({text} || '@example.net')",
    }[kind]


def pgbench(stack: Stack, scripts: list[list[str]], *, connections: int, seconds: int) -> float:
    """Return how many of the scripts PostgreSQL runs in a second, in its simple protocol."""
    files = []
    for number, statements in enumerate(scripts):
        file = stack.folder / f"script-{number}.sql"
        lines = [f"\\set {FRESH[1:]} random(1, 1000000000000000)", *(f"{statement};" for statement in statements)]
        file.write_text("\n".join(lines))
        files += ["-f", str(file)]
    binary = find_binaries(stack.folder / "postgres").folder / "pgbench"
    command = [str(binary), "--no-vacuum", *files, "-c", str(connections), "-j", "2", "-T", str(seconds)]
    done = subprocess.run([*command, stack.env["DATABASE_URL"]], capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not rate:
        raise SystemExit(done.stderr)
    return float(rate[1])
