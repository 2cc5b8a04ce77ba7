"""Files as spreadsheets and programs really write them: one bad row costs that row."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from accounts.actors import SYSTEM
from leads.custom_fields import coerce_with
from leads.imports import services as imports
from leads.imports.files import forget_files
from leads.imports.rows import ROW_MAX, Unreadable, read_rows
from leads.imports.services import start_import
from leads.models import CustomField, ImportProblem, Lead, LeadImport
from outbox.models import Job
from tests.support.due import run_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def rows(content: bytes | str, kind: str = "csv") -> list:
    raw = content.encode() if isinstance(content, str) else content
    return list(read_rows(io.BytesIO(raw), kind))


def test_a_quote_that_is_never_closed_costs_its_own_row():
    read = rows('name,email\n"Ava,ava@x.example\nBo,bo@x.example\nCy,cy@x.example\n')
    assert read[0] == 'A quote (") is opened and not closed.'
    assert [row["name"] for row in read[1:]] == ["Bo", "Cy"]


def test_line_breaks_within_quotes_stay_in_their_cell():
    read = rows('name,note\nAva,"one\ntwo, ""three"""\nBo,x\n')
    assert read == [{"name": "Ava", "note": 'one\ntwo, "three"'}, {"name": "Bo", "note": "x"}]


def test_a_quote_within_a_cell_opens_nothing():
    assert rows('name,pipe\nAva,5" pipe\nBo,x\n')[0] == {"name": "Ava", "pipe": '5" pipe'}


def test_a_delimiter_within_quotes_is_none():
    assert rows('"a;b;c;d",email\nx,ava@x.example\n') == [{"a;b;c;d": "x", "email": "ava@x.example"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_excel_writes_is_read(encoding):
    assert rows("Name;Ort\nZoë Müller;Köln\n".encode(encoding)) == [{"Name": "Zoë Müller", "Ort": "Köln"}]


def test_one_bad_byte_costs_its_own_row(plumbing):
    job = begin(plumbing, "email,first_name\nava@x.example,Zoë\nbo@x.example,B".encode() + b"\xff\ncy@x.example,Cy\n")
    run_jobs()
    job.refresh_from_db()
    assert job.result
    assert (job.result["created"], job.result["failed"]) == (2, 1)
    assert ImportProblem.objects.get().row == 2


def test_a_line_without_end_costs_no_memory_and_its_own_row():
    read = rows("a,b\n" + "," * (ROW_MAX * 3) + "\nx,y\n")
    assert [type(row) for row in read] == [str, dict]


@pytest.mark.parametrize("head", ["," * 2_000 + "\n", "a,a\n1,2\n", "\n"])
def test_a_head_that_says_nothing_is_refused(head):
    with pytest.raises(Unreadable):
        rows(head)


def begin(source, content: bytes | str, kind: str = "csv", **more) -> Job:
    raw = content.encode() if isinstance(content, str) else content
    values = {"identifier": "email", "mapping": {}, "is_dry_run": False, **more}
    return start_import(source=source, actor=SYSTEM, file=ContentFile(raw), file_format=kind, **values)


def test_a_poisoned_row_costs_itself(plumbing, northside):
    CustomField.objects.create(organization=northside, key="budget", kind="number")
    bad = [
        {"email": "a@x.example", "na\0me": "x"},
        {"email": "b@x.example", "tags": ["x\ud800"]},
        {"email": "c@x.example", "tags": "a,b\0c"},
        {"email": "d@x.example", "budget": "1E+999999999"},
        {"email": "e@x.example", "custom_fields": {"x\0": "y"}},
        {"email": "f@x.example", "custom_fields": {"x": "\ud800"}},
    ]
    job = begin(plumbing, json.dumps([*bad, {"email": "good@x.example", "budget": "1E-999999999"}]), "json")
    run_jobs()
    job.refresh_from_db()
    assert job.result
    assert (job.status, job.result["created"], job.result["failed"]) == ("done", 1, 6)
    assert Lead.objects.get().custom_fields == {"budget": 0}


@pytest.mark.parametrize("text", ["1E+999999999", "-1E+999999999", "NaN", "1e15", "9" * 10_000])
def test_a_number_beyond_all_bounds_is_refused_at_once(text):
    field = CustomField(key="n", kind="number")
    assert coerce_with({"n": field}, {"n": text})[1]


def test_rows_about_one_lead_are_counted_as_repeated(plumbing):
    lines = ["ava@x.example,Ava", "AVA@x.example,", "ava@x.example,Other", "bo@x.example,Bo"]
    job = begin(plumbing, "email,first_name\n" + "\n".join(lines) + "\n")
    run_jobs()
    job.refresh_from_db()
    assert job.result == {
        "dry_run": False, "created": 2, "updated": 0, "unchanged": 0, "repeated": 2, "failed": 0,
    }  # fmt: skip


def test_a_mapping_to_a_field_that_nobody_has_is_refused(api, token, plumbing):
    answer = api.post(
        f"leads/import?source_id={plumbing.public_id}&mapping=%7B%22Mail%22%3A%22emial%22%7D", token, [{}]
    )
    assert answer.status_code == 400
    assert "There is no field “emial”" in answer.json()["errors"][0]["detail"]


def test_the_file_of_a_start_that_failed_does_not_stay(plumbing, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(LeadImport, "save", fails)
    with pytest.raises(OSError, match="disk"):
        begin(plumbing, "email\na@x.example\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_are_for_the_product_alone(plumbing, tmp_path):
    begin(plumbing, "email\na@x.example\n")
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_no_import_knows_is_removed(plumbing, tmp_path, monkeypatch):
    begin(plumbing, "email\na@x.example\n")
    orphan = Path(tmp_path / "imports" / "2026" / "01" / "orphan.csv")
    orphan.parent.mkdir(parents=True)
    orphan.write_text("email\n")
    forget_files()
    assert orphan.exists(), "it may be of an import that is just being started"
    monkeypatch.setattr("leads.imports.files.TRIAL_KEPT", -1 * imports_age())
    forget_files()
    assert not orphan.exists()
    assert LeadImport.objects.get().file.storage.exists(LeadImport.objects.get().file.name)


def imports_age():
    from datetime import timedelta

    return timedelta(seconds=5)


def test_one_runs_and_five_wait(plumbing, monkeypatch):
    monkeypatch.setattr(imports, "WAITING_MAX", 2)
    for _ in range(3):
        begin(plumbing, "email\na@x.example\n")
    from core.problems import Refusal

    with pytest.raises(Refusal, match="2 wait"):
        begin(plumbing, "email\na@x.example\n")


def test_what_was_tried_is_imported_by_the_button(dana_client, plumbing):
    trial = begin(plumbing, "email\nava@x.example\n", is_dry_run=True)
    run_jobs()
    assert not Lead.objects.exists()
    page = dana_client.get(f"/leads/import/{trial.public_id}/").content.decode()
    assert 'name="import"' in page
    answer = dana_client.post(f"/leads/import/{trial.public_id}/", {"import": "1"})
    assert answer["Location"] != f"/leads/import/{trial.public_id}/"
    run_jobs()
    assert Lead.objects.get().email == "ava@x.example"
    LeadImport.objects.filter(pk=trial.subject_id).update(file="")
    answer = dana_client.post(f"/leads/import/{trial.public_id}/", {"import": "1"}, follow=True)
    assert "Choose it again" in answer.content.decode()
