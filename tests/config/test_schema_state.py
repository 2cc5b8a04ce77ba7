"""A database that is behind the release: the web is not ready, workers wait."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from config import schema_state
from supervisor.stack import ROOT

pytestmark = pytest.mark.django_db
LAST = max(path.stem for path in (ROOT / "leads" / "migrations").glob("0*.py"))


@pytest.fixture
def behind(monkeypatch):
    """As if the last migration of this release had not been run."""
    monkeypatch.setattr(schema_state, "_complete", [])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'leads' AND name = %s", [LAST])


def catch_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('leads', %s, now())", [LAST])


def test_readyz_says_what_is_missing(client, behind):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "missing_migrations": [f"leads.{LAST}"]}
    catch_up()
    assert client.get("/readyz").status_code == 200


class Stop(Exception):
    """The worker is to end."""


def test_a_worker_waits_until_it_is_told_to_end(behind, monkeypatch, caplog):
    monkeypatch.setattr(schema_state, "LOOKS_EVERY_SECONDS", 0)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction lives on it
    looks = []

    def look_up() -> None:
        looks.append(threading.current_thread())
        if len(looks) == 3:
            raise Stop

    with pytest.raises(Stop):
        schema_state.wait_for_migrations(look_up)
    assert f"run manage.py migrate: leads.{LAST}" in caplog.text


def test_it_goes_on_once_the_database_has_caught_up(behind, monkeypatch):
    monkeypatch.setattr(schema_state, "LOOKS_EVERY_SECONDS", 0)
    monkeypatch.setattr(connection, "close", lambda: None)
    schema_state.wait_for_migrations(catch_up)
    assert schema_state.missing_migrations() == []
