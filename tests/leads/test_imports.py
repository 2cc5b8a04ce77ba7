"""Import of leads: three formats, mapping, dry run, errors by row, progress, cancel, and a kill in the middle."""

from __future__ import annotations

import csv
import io
import json

import pytest

from accounts.models import Membership
from api.services import make_token
from conversations.models import Conversation
from conversations.services.merging import merge_leads
from leads.imports import running as importing
from leads.imports.files import forget_files
from leads.imports.rows import Unreadable, read_rows
from leads.models import CustomField, Lead, LeadImport
from outbox.models import Job
from tests.support.due import run_jobs
from tests.support.people import log_in, person
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = ["leads:write", "jobs:write"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=SCOPES)[1]


@pytest.fixture(autouse=True)
def _files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def upload(api, key, plumbing):
    def send(body: bytes | str, content_type: str = "text/csv", query: str = "", **headers: str):
        return api.call("POST", f"leads/import{query}", key, body, Content_Type=content_type, **headers)

    return send


def finished(api, key, answer) -> dict:
    assert answer.status_code == 202, answer.json()
    run_jobs()
    return api.get(answer["Location"].removeprefix("/v1/"), key).json()


def errors(api, key, answer) -> list[list[str]]:
    answer = api.get(f"{answer['Location'].removeprefix('/v1/')}/errors", key)
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()
    return list(csv.reader(io.StringIO(text)))[1:]


CSV = "E-Mail;First name;Phone;Tags;Budget\nava@example.net;Ava;+1 415 555 0101;vip,web;12\nbo@example.net;Bo;;;\n"
ROWS = [
    {"email": "ava@example.net", "first_name": "Ava", "phone": "+1 415 555 0101", "tags": ["vip", "web"], "Budget": 12},
    {"email": "bo@example.net", "first_name": "Bo"},
]
FORMATS = {
    "text/csv": CSV,
    "application/json": json.dumps(ROWS),
    "application/x-ndjson": "\n".join(json.dumps(row) for row in ROWS),
}


@pytest.mark.parametrize("content_type", FORMATS)
def test_each_format_brings_the_same_leads(api, key, upload, content_type):
    job = finished(api, key, upload(FORMATS[content_type], content_type))
    assert (job["status"], job["progress"]) == ("done", 1.0)
    counts = {
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "repeated": 0,
        "failed": 0,
        "dry_run": False,
        "count": 2,
        "total": 2,
    }
    assert job["result"] == counts
    ava = Lead.objects.get(email="ava@example.net")
    assert (ava.first_name, ava.phone_e164, ava.tags) == ("Ava", "+14155550101", ["vip", "web"])
    assert ava.custom_fields == {"Budget": "12"}
    assert ava.contact_captured_at
    assert not Conversation.objects.exists()
    assert not Event.objects.exists()
    assert not LeadImport.objects.get().file, "the file is gone"


def test_a_second_import_fills_what_was_empty_and_overwrites_nothing(api, key, upload):
    finished(api, key, upload(CSV))
    again = "email,first_name,last_name\nava@example.net,Other,Brooks\nbo@example.net,Bo,\nBO@example.net,Bo,\n"
    job = finished(api, key, upload(again))
    assert {name: job["result"][name] for name in ("created", "updated", "unchanged")} == {
        "created": 0, "updated": 1, "unchanged": 2,
    }  # fmt: skip
    ava = Lead.objects.get(email="ava@example.net")
    assert (ava.first_name, ava.last_name) == ("Ava", "Brooks")


def test_bad_rows_are_left_out_and_say_why(api, key, upload, northside):
    CustomField.objects.create(organization=northside, key="budget", kind="number")
    body = (
        "email,unique_id,budget,opt_in\n"
        "good@example.net,,5,yes\n"
        ",,,\n"
        "nobody,,,\n"
        "a@example.net,,much,\n"
        "b@example.net,,,perhaps\n"
        "c@example.net,,,,,,too many\n"
        "=cmd@example.net\x00,,,\n"
    )
    answer = upload(body)
    job = finished(api, key, answer)
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 5)
    assert [(row, field) for row, field, _ in errors(api, key, answer)] == [
        ("2", "email"), ("3", "budget"), ("4", "opt_in"), ("5", ""), ("6", "email"),
    ]  # fmt: skip
    assert Lead.objects.get().custom_fields == {"budget": 5}


def test_a_row_that_would_take_another_leads_identifier_is_a_conflict(api, key, upload, lead_at, plumbing):
    lead_at(plumbing, "ava@example.net")
    body = "unique_id,email\nA1,ava@example.net\nA2,new@example.net\nA2,other@example.net\n"
    answer = upload(body, query="?identifier_type=unique_id")
    job = finished(api, key, answer)
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 1)
    assert errors(api, key, answer)[0][1] == "email"


def test_a_row_that_would_make_a_lead_too_large_changes_nothing_of_it(api, key, upload):
    rows = [
        {"email": "ava@example.net", "first_name": "Ava", **{f"notes{n}": "x" * 9_000 for n in range(5)}},
        {"email": "ava@example.net", "phone": "+1 415 555 0101", "more": "y" * 9_000},
        {"email": "ava@example.net", "last_name": "Brooks"},
    ]
    job = finished(api, key, upload(json.dumps(rows), "application/json"))
    assert (job["result"]["created"], job["result"]["failed"]) == (1, 1)
    lead = Lead.objects.get()
    assert (lead.last_name, lead.phone, len(lead.custom_fields)) == ("Brooks", "", 5)


def test_a_row_finds_the_lead_that_its_address_was_merged_into(api, key, upload, lead_at, plumbing, actor):
    lead, into = lead_at(plumbing, "old@example.net"), lead_at(plumbing, "ava@example.net")
    merge_leads(lead=lead, into=into, actor=actor)
    csv_text = "email,phone\nold@example.net,+14155550101\nava@example.net,+14155550199\n"
    job = finished(api, key, upload(csv_text))
    assert (job["result"]["created"], job["result"]["updated"]) == (0, 1)
    into.refresh_from_db()
    assert (into.email, into.phone) == ("ava@example.net", "+14155550101")


def test_a_dry_run_counts_and_writes_nothing(api, key, upload):
    job = finished(api, key, upload(CSV, query="?dry_run=true"))
    assert (job["result"]["created"], job["result"]["dry_run"]) == (2, True)
    assert not Lead.objects.exists()


def test_a_mapping_names_columns_and_leaves_some_out(api, key, upload):
    mapping = json.dumps({"Kontakt": "email", "Vorname": "first_name", "Geheim": ""})
    finished(api, key, upload("Kontakt,Vorname,Geheim\nava@example.net,Ava,x\n", query=f"?mapping={mapping}"))
    lead = Lead.objects.get()
    assert (lead.email, lead.first_name, lead.custom_fields) == ("ava@example.net", "Ava", {})
    for bad in ("[1]", "{", '{"a": 1}'):
        refused = upload(CSV, query=f"?mapping={bad}")
        assert refused.json()["errors"][0]["parameter"] == "mapping"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(CSV, "application/xml", 415), (CSV, "text/csv; charset=utf-8", 202)],
)
def test_what_is_no_file_is_refused_at_once(upload, body, content_type, status):
    assert upload(body, content_type).status_code == status


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xfe\xff", "text/csv"),
        ("\n\n", "text/csv"),
        ('{"email": "a@example.net"}', "application/json"),
        ('[{"email": "a@example.net"}', "application/json"),
        ('[{"email": "a@example.net"}, {]', "application/json"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_the_reason(api, key, upload, body, content_type):
    answer = upload(body, content_type)
    job = finished(api, key, answer)
    assert (job["status"], job["result"]["failed"]) == ("done", 1)
    assert errors(api, key, answer)[0][2]


def test_an_import_goes_on_where_it_was_killed(api, key, upload, monkeypatch):
    monkeypatch.setattr(importing, "PORTION", 10)
    body = "email\n" + "".join(f"n{number}@example.net\n" for number in range(35))
    answer = upload(body)
    take, portions = importing._take, list[int]()

    def killed(lead_import, rows):
        if len(portions) == 2:
            raise SystemExit("as a kill does: nothing after this runs")
        portions.append(len(rows))
        return take(lead_import, rows)

    monkeypatch.setattr(importing, "_take", killed)
    with pytest.raises(SystemExit):
        run_jobs()
    assert Lead.objects.count() == 20
    monkeypatch.setattr(importing, "_take", take)
    Job.objects.update(next_attempt_at=Job.objects.get().created_at)
    job = finished(api, key, answer)
    assert (job["result"]["created"], Lead.objects.count()) == (35, 35)


def test_a_cancelled_import_keeps_what_it_wrote_and_forgets_the_file(api, key, upload):
    answer = upload(CSV)
    assert (
        api.post(f"{answer['Location'].removeprefix('/v1/')}/cancel", key, {"reason": "wrong file"}).status_code == 204
    )
    run_jobs()
    job = api.get(answer["Location"].removeprefix("/v1/"), key).json()
    assert (job["status"], job["error"]) == ("cancelled", "wrong file")
    forget_files()
    assert not LeadImport.objects.get().file
    assert not Lead.objects.exists()


def test_one_idempotency_key_is_one_import(upload):
    first, again = (upload(CSV, Idempotency_Key="once") for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    other = upload(CSV + "x@example.net;;;;\n", Idempotency_Key="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.mismatch")


def test_a_long_array_is_read_in_pieces():
    rows = [{"email": f"n{number}@example.net", "note": "x" * 300} for number in range(2_000)]
    for indent in (None, 2):
        file = io.BytesIO(json.dumps(rows, indent=indent).encode())
        assert list(read_rows(file, "json")) == rows
    with pytest.raises(Unreadable):
        list(read_rows(io.BytesIO(b'[{"a": "' + b"x" * 300_000 + b'"}]'), "json"))


def test_another_organization_sees_nothing_of_an_import(api, key, upload, eve, actor, dental):
    answer = upload(CSV)
    theirs = make_token(creator=Membership.objects.get(user=eve), actor=actor, name="Eve", scopes=SCOPES)[1]
    path = answer["Location"].removeprefix("/v1/")
    for suffix in ("", "/errors"):
        assert api.get(f"{path}{suffix}", theirs).status_code == 404
    assert api.get("background-jobs", theirs).json()["data"]["background_jobs"] == []


def test_the_page_tries_a_file_first_then_imports_it(dana_client, plumbing):
    from django.core.files.uploadedfile import SimpleUploadedFile

    def send(**more: str):
        file = SimpleUploadedFile("leads.csv", b"Kontakt,Vorname\nava@example.net,Ava\nnobody,Bo\n")
        fields = {"source": str(plumbing.pk), "file": file, "identifier": "email", **more}
        answer = dana_client.post("/leads/import/", {**fields, "mapping": "Kontakt = email\nVorname = first_name"})
        assert answer.status_code == 302, answer.content.decode()
        run_jobs()
        return dana_client.get(answer["Location"]).content.decode(), answer["Location"]

    page, _ = send(**{"try": "1"})
    assert "Would be new" in page
    assert not Lead.objects.exists()
    page, url = send()
    assert "2 of 2 rows" in page
    assert Lead.objects.get().first_name == "Ava"
    errors_file = b"".join(dana_client.get(f"{url}errors/").streaming_content).decode()
    assert "not an email address" in errors_file


def test_who_may_only_read_imports_nothing(northside, plumbing):
    assert log_in(person("vic", northside, "viewer")).get("/leads/import/").status_code == 403
    assert "Import" not in log_in(person("wil", northside, "viewer")).get("/leads/").content.decode()


def test_an_imported_lead_is_new_when_it_first_writes(api, key, upload, plumbing, lead_at):
    finished(api, key, upload("email,first_name\nava@example.net,Ava\n"))
    lead_at(plumbing, "ava@example.net")
    first = Event.objects.get(type="lead.created")
    assert first.payload["lead"]["is_new"] is True
    assert Lead.objects.get().returned_at is None
