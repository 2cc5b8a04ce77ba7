"""Connections of the web and of jobs: kept open, checked, with prepared statements."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import close_old_connections, connection

from api.models import IdempotencyKey
from conversations.models import Message
from outbox.database import plain_parameters
from supervisor.stack import ROOT

PREPARED = """
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for _ in range(20):
        cursor.execute("SELECT %s + 1", [1])
    cursor.execute("SELECT count(*) FROM pg_prepared_statements")
    print(cursor.fetchone()[0])
"""


def session_of_server() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_after_the_server_hung_up_the_next_request_gets_a_new_connection():
    pid = session_of_server()
    with psycopg.connect(**plain_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    close_old_connections()  # with this a request begins; the test client leaves it out
    assert session_of_server() != pid


@pytest.mark.parametrize(("setting", "prepares"), [("1", True), ("0", False)])
def test_statements_are_prepared_unless_a_pooler_forbids_it(setting, prepares):
    place = connection.settings_dict
    url = f"postgres://{place['USER']}:{place['PASSWORD']}@{place['HOST']}:{place['PORT']}/postgres"
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LEADWIRE_PREPARED_STATEMENTS": setting,
    }
    done = subprocess.run(
        [sys.executable, "-c", PREPARED], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) > 0) is prepares


@pytest.mark.django_db(transaction=True)
def test_a_call_that_looked_just_before_the_first_one_committed_has_no_effect(
    api, key_of, eastgate, lead_at, monkeypatch
):
    """The lock is free by then, and the snapshot of the look does not have the answer yet."""
    lead, key = lead_at(eastgate), key_of(eastgate)
    assert api.reply(key, lead, headers={"Idempotency_Key": "one"}).status_code == 201
    monkeypatch.setattr("api.idempotency._first_answer", lambda digest: None)
    again = api.reply(key, lead, headers={"Idempotency_Key": "one"})
    assert (again.status_code, again.json()["code"]) == (409, "idempotency.inFlight")
    assert Message.objects.filter(direction=Message.Direction.OUTBOUND).count() == 1
    assert IdempotencyKey.objects.count() == 1


def test_calls_of_machines_have_no_session(dana_client, plumbing):
    """Whoever is logged in: their cookie opens nothing here, and nobody's answer depends on it."""
    for path in ("/v1/whoami", f"/forms/{plumbing.public_id}", "/mcp"):
        answer = dana_client.post(path, {"message": "Hello"}) if "forms" in path else dana_client.get(path)
        assert "Cookie" not in answer.get("Vary", ""), path
        assert not answer.cookies, path
        assert not hasattr(answer.wsgi_request, "session"), path
    assert dana_client.get("/v1/whoami").status_code == 401
