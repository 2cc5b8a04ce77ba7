"""Small doors that stood open: each with the attack that went through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Membership
from api import call_log as calls
from api import services as tokens
from api.models import ApiCall, ApiToken
from api.services import make_token
from core.problems import Refusal
from leads.models import CustomField
from messaging.email.sending import _sender
from outbox.models import Job
from tests.support.due import run_jobs
from tests.support.people import PASSWORD, log_in, person
from webhooks.services.replays import start_replay

pytestmark = pytest.mark.django_db


def staff_token(user, actor, *scopes: str) -> str:
    membership = Membership.objects.get(user=user)
    return make_token(creator=membership, actor=actor, name="x", scopes=list(scopes), kind=ApiToken.Kind.STAFF)[1]


def test_an_agents_token_cancels_no_replay_of_an_owner(api, northside, plumbing, webhook_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    job = start_replay(endpoint=plumbing.restwebhook, actor=actor, since=datetime(2026, 1, 1, tzinfo=UTC))
    agent = staff_token(person("ann", northside, "agent"), actor, "jobs:write")
    refused = api.post(f"background-jobs/{job.public_id}/cancel", agent, {})
    assert (refused.status_code, refused.json()["code"]) == (403, "request.forbidden")
    manager = staff_token(person("max", northside, "manager"), actor, "jobs:write")
    assert api.post(f"background-jobs/{job.public_id}/cancel", manager, {}).status_code == 204


def test_a_viewers_token_reads_no_import_errors(api, northside, plumbing, actor, token, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    started = api.post(f"leads/import?source_id={plumbing.public_id}", token, [{"email": "nobody"}])
    viewer = staff_token(person("vic", northside, "viewer"), actor, "jobs:read")
    path = started["Location"].removeprefix("/v1/")
    assert api.get(f"{path}/errors", viewer).status_code == 403


def test_a_limited_manager_changes_no_custom_field_of_all(api, northside, eastgate, actor):
    limited = staff_token(person("lia", northside, "manager", eastgate), actor, "leads:write")
    field = CustomField.objects.create(organization=northside, key="budget", kind="number")
    assert api.post("custom-fields", limited, {"key": "x", "type": "text"}).status_code == 403
    assert api.call("DELETE", f"custom-fields/{field.public_id}", limited).status_code == 403
    assert CustomField.objects.count() == 1


def test_a_call_in_a_circle_writes_one_line_a_minute(api, token, settings, monkeypatch):
    monkeypatch.setattr(calls, "_refused_at", {})
    settings.LEADWIRE_CALLS_PER_MINUTE = 2
    assert [api.get("leads", token).status_code for _ in range(20)] == [200] * 2 + [429] * 18
    assert ApiCall.objects.filter(status=429).count() == 1


def test_a_fresh_key_travels_in_no_cookie(dana, northside):
    dana.is_staff = dana.is_superuser = True
    dana.save()
    client = log_in(dana)
    fields = {"name": "Directory", "scopes": ["leads:read"], "organizations": [str(northside.pk)]}
    client.post(reverse("admin:api_apitoken_add"), fields)
    assert ApiToken.objects.filter(kind="directory").count() == 1
    assert "messages" not in client.cookies
    page = client.get(reverse("admin:api_apitoken_changelist")).content.decode()
    assert "lwd_" in page


def test_tokens_have_a_cap(dana, actor, monkeypatch):
    monkeypatch.setattr(tokens, "TOKENS_MAX", 2)
    membership = Membership.objects.get(user=dana)
    for _ in range(2):
        make_token(creator=membership, actor=actor, name="x", scopes=["leads:read"])
    with pytest.raises(Refusal, match="at most 2"):
        make_token(creator=membership, actor=actor, name="x", scopes=["leads:read"])
    answer = log_in(dana).post(
        "/settings/tokens/", {"name": "y", "kind": "app", "scopes": ["leads:read"], "expires": ""}
    )
    assert "at most 2" in answer.content.decode()


@pytest.mark.parametrize("name", ["foo\\", 'a "b" \\" c', "\\\\"])
def test_a_name_with_backslashes_is_a_name(name):
    from email.utils import parseaddr

    shown, address = parseaddr(_sender(name, "a@example.com"))
    assert address == "a@example.com"
    assert "\\" not in shown


@pytest.mark.parametrize("path", ["/inbox/", "/leads/", "/settings/account/", "/sources/"])
def test_pages_of_who_is_logged_in_are_kept_by_nobody(dana_client, path):
    assert "no-store" in dana_client.get(path)["Cache-Control"]


def test_the_login_page_may_be_kept_and_still_logs_in(dana):
    client = Client()
    assert client.get("/accounts/login/").status_code == 200
    answer = client.post("/accounts/login/", {"login": dana.email, "password": PASSWORD})
    assert answer.status_code == 302


@pytest.mark.django_db(transaction=True)
def test_a_replay_of_everything_since_before_computers(plumbing, webhook_at, lead_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead_at(plumbing)
    job = start_replay(
        endpoint=plumbing.restwebhook, actor=actor, since=datetime(1960, 1, 1, tzinfo=UTC), is_dry_run=True
    )
    run_jobs()
    assert Job.objects.get(pk=job.pk).status == "done"
