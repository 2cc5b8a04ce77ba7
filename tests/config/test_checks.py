"""What is unsafe in production is refused by name, before anything listens."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from config import checks
from supervisor.stack import ROOT, Stack

GOOD = {
    "BASE_URL": "https://leads.example.com",
    "ALLOWED_HOSTS": ["leads.example.com"],
    "SECRET_KEY": "Lq8-f2vWj3kTzP0aXyR5uNnB7cEoGd91",
    "LEADWIRE_ENCRYPTION_KEYS": [Fernet.generate_key().decode()],
    "LEADWIRE_ALLOW_HTTP_WEBHOOKS": False,
    "LEADWIRE_ALLOW_NETWORKS": [],
    "DEMO_MAIL_DIR": "",
    "DEBUG": False,
}
UNSAFE = {
    "E002": {"SECRET_KEY": "x"},
    "E003": {"LEADWIRE_ENCRYPTION_KEYS": []},
    "E004": {"DEBUG": True},
    "E005": {"BASE_URL": "http://leads.example.com"},
    "E006": {"ALLOWED_HOSTS": ["*"]},
    "E007": {"LEADWIRE_ALLOW_HTTP_WEBHOOKS": True},
    "E008": {"LEADWIRE_ALLOW_NETWORKS": [ipaddress.ip_network("127.0.0.0/8")]},
    "E009": {"DEMO_MAIL_DIR": "/tmp/x"},  # noqa: S108
}


def found(settings, **changes: object) -> list[str]:
    for name, value in {**GOOD, **changes}.items():
        setattr(settings, name, value)
    return [str(check.id).removeprefix("leadwire.") for check in checks.safe_in_production(None)]


def test_a_safe_installation_is_not_complained_about(settings):
    assert found(settings) == []
    checks.refuse_unsafe()


@pytest.mark.parametrize(("name", "changes"), UNSAFE.items(), ids=list(UNSAFE))
def test_each_unsafe_setting_is_named(settings, name, changes):
    assert found(settings, **changes) == [name]
    with pytest.raises(SystemExit, match=f"leadwire.{name}"):
        checks.refuse_unsafe()
    settings.SILENCED_SYSTEM_CHECKS = [f"leadwire.{name}"]
    checks.refuse_unsafe()


def test_the_check_of_the_framework_tells_before(settings):
    found(settings, SECRET_KEY="x")
    with pytest.raises(SystemCheckError, match=r"leadwire\.E002"):
        call_command("check", deploy=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://localhost:8000", False), ("http://127.0.0.1", False), ("http://[::1]:80", False),
     ("http://10.0.0.5", True), ("https://leads.example.com", True), ("http://a.localhost", False)],
)  # fmt: skip
def test_only_this_machines_own_address_is_no_production(settings, url, expected):
    settings.BASE_URL = url
    assert checks.is_production() is expected


@pytest.mark.parametrize("module", ["config.web", "config.celery"])
def test_no_process_starts_unsafe(module):
    start = {"config.web": "", "config.celery": "; config.celery.begin()"}[module]
    env = {**os.environ, "BASE_URL": "http://leads.example.com", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"}
    ended = subprocess.run(
        [sys.executable, "-c", f"import {module}{start}"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "leadwire.E005: BASE_URL is not https" in ended.stderr


def test_the_demo_and_its_passwords_come_into_no_database_of_ones_own(monkeypatch, tmp_path):
    stack, seen = Stack(tmp_path, {}), []
    monkeypatch.delenv("DATABASE_URL", raising=False)
    seen.append(stack.has_demo)
    monkeypatch.setenv("DATABASE_URL", "postgres://leads@db/leads")
    seen.append(stack.has_demo)
    monkeypatch.setenv("LEADWIRE_DEMO", "1")
    seen.append(stack.has_demo)
    assert seen == [True, False, True]


def test_an_upload_is_503_while_the_database_is_away(monkeypatch):
    from django.db import OperationalError

    from config.web import uploads
    from config.web.bodies import Refused

    def away(request):
        raise OperationalError("the database is gone")

    monkeypatch.setattr(uploads, "_key_of", away)
    monkeypatch.setattr(uploads, "close_old_connections", lambda: None)
    with pytest.raises(Refused, match="not available"):
        uploads.uploader({"REQUEST_METHOD": "POST", "PATH_INFO": uploads.API_IMPORT})
