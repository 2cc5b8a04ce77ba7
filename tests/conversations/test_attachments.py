"""Files that leads send: kept, seen for what they are, scanned, shown harmlessly, and gone when the lead is erased."""

from __future__ import annotations

import io
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from accounts.models import Membership
from api.services import make_token
from conversations.models import Attachment, Message
from conversations.services.attachment_links import DOWNLOAD, UPLOAD, link_to
from conversations.services.erasing import erase_lead
from leads.models import Lead
from messaging.email.files import files_in
from messaging.email.reader_process import reader
from messaging.files import store
from messaging.files.pictures import preview_of
from outbox.models import Job
from tests.support.due import run_failed_jobs, run_jobs
from tests.support.files import EICAR, PDF, kept_in, mail_with, photo
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("file_store")]


@pytest.fixture
def take(receive, address_of, eastgate):
    """Receive a mail with files, and prepare them, as the workers do."""

    def receive_files(*files: tuple[str, bytes], **more: str) -> list[Attachment]:
        receive(address_of(eastgate), mail_with(*files, **more))
        run_jobs()
        return list(Attachment.objects.order_by("id"))

    return receive_files


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def body_of(response) -> bytes:
    return b"".join(response.streaming_content)


def test_files_of_a_mail_are_kept_and_seen_for_what_they_are(take):
    picture = photo()
    first, second, third = take(("Küche ☃.jpg", picture), ("offer.pdf", PDF), ("odd.jpg", b"\0\1\2"))
    assert [file.name for file in (first, second, third)] == ["Küche ☃.jpg", "offer.pdf", "odd.jpg"]
    assert [file.content_type for file in (first, second, third)] == [
        "image/jpeg",
        "application/pdf",
        "application/octet-stream",
    ]
    assert [file.state for file in (first, second, third)] == ["ready"] * 3
    assert [file.size for file in (first, second, third)] == [len(picture), len(PDF), 3]
    assert [store.get(file.key) for file in (first, second, third)] == [picture, PDF, b"\0\1\2"]
    assert first.key.startswith(f"org_{first.key[4:30]}/{first.source.public_id}/")
    assert Message.objects.get().content == "See the pictures."


def test_a_picture_is_shown_without_what_its_telephone_wrote(take, dana_client):
    [file] = take(("a.jpg", photo(text="taken at home")))
    shown = dana_client.get(f"/attachments/{file.public_id}/preview/")
    assert shown["Content-Type"] == "image/webp"
    with Image.open(io.BytesIO(shown.content)) as picture:
        assert (picture.size, dict(picture.getexif())) == ((40, 60), {})  # upright
    assert b"taken at home" not in shown.content


def test_a_picture_that_would_fill_the_memory_is_not_unpacked():
    bomb, out = Image.new("1", (60_000, 60_000)), io.BytesIO()
    bomb.save(out, "PNG")
    assert len(out.getvalue()) < 1_000_000
    assert preview_of(out.getvalue()) is None
    assert preview_of(b"\xff\xd8\xff\xe0" + b"x" * 1_000) is None


def test_a_file_is_downloaded_and_never_opened(take, dana_client):
    [file] = take(("page.html", b"<html><script>alert(1)</script>"))
    assert (file.content_type, file.has_preview) == ("text/html", False)
    answer = dana_client.get(f"/attachments/{file.public_id}/")
    assert body_of(answer).startswith(b"<html>")
    assert answer["Content-Disposition"] == 'attachment; filename="page.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_the_conversation_shows_its_files(take, dana_client):
    file, other = take(("a.png", photo(kind="PNG")), ("offer.pdf", PDF))
    page = dana_client.get(f"/inbox/{Message.objects.get().conversation.public_id}/").content.decode()
    assert f"/attachments/{file.public_id}/preview/" in page
    assert f'href="/attachments/{other.public_id}/"' in page


def test_the_api_and_the_event_name_the_files(take, api, key_of, eastgate):
    [file] = take(("offer.pdf", PDF))
    message = Message.objects.get()
    shown = api.get(f"messages/{message.public_id}", key_of(eastgate)).json()["data"]["message"]["attachments"]
    url = f"http://localhost:8000/v1/attachments/{file.public_id}/download"
    told = {"id": file.public_id, "name": "offer.pdf", "content_type": "application/pdf", "size": len(PDF), "url": url}
    assert shown == [{**told, "state": "ready"}]
    assert Event.objects.get(type="lead.created").payload["message"]["attachments"] == [{**told, "state": "waiting"}]


def test_the_api_gives_a_link_that_ends(take, api, key_of, eastgate, westgate, client, monkeypatch):
    [file] = take(("offer.pdf", PDF))
    path = f"attachments/{file.public_id}/download"
    key = key_of(eastgate)
    answer = api.get(path, key)
    assert answer.status_code == 302
    assert body_of(client.get(path_of(answer["Location"]))) == PDF
    assert client.get(path_of(answer["Location"])[:-1] + "!").status_code == 404
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert client.get(path_of(answer["Location"])).status_code == 404
    assert api.get(path, key_of(westgate)).json()["code"] == "file.notFound"
    assert api.get("attachments/file_x/download", key).json()["code"] == "file.notFound"
    assert api.get(path).status_code == 401


def test_a_link_to_download_is_none_to_upload(take, client):
    [file] = take(("offer.pdf", PDF))
    upload = link_to(file.pk, UPLOAD, timedelta(hours=1))
    assert client.get(path_of(upload).replace("upload", "download")).status_code == 404
    assert client.put(path_of(upload), b"other", content_type="text/plain").status_code == 404
    assert store.get(file.key) == PDF


def test_strangers_and_another_organization_get_nothing(take, client, eve):
    [file] = take(("a.jpg", photo()))
    for path in (f"/attachments/{file.public_id}/", f"/attachments/{file.public_id}/preview/"):
        assert client.get(path)["Location"].startswith("/accounts/login/")
    client.force_login(eve)
    for path in (f"/attachments/{file.public_id}/", f"/attachments/{file.public_id}/preview/"):
        assert client.get(path).status_code == 404


def test_a_virus_is_not_kept(take, scanner, dana_client, api, key_of, eastgate):
    good, bad = take(("offer.pdf", PDF), ("game.exe", EICAR))
    assert scanner.scanned == [PDF, EICAR]
    assert (good.state, bad.state, bad.detail) == ("ready", "infected", "Eicar-Test")
    assert store.size_of(bad.key) is None
    answer = api.get(f"attachments/{bad.public_id}/download", key_of(eastgate))
    assert (answer.status_code, answer.json()["state"]) == (409, "infected")
    page = dana_client.get(f"/inbox/{Message.objects.get().conversation.public_id}/").content.decode()
    assert "A virus was found in it" in page
    assert dana_client.get(f"/messages/{Message.objects.get().public_id}/mail/").status_code == 409


@pytest.mark.parametrize("kind", ["application/pkcs7-signature", "text/html"])
def test_a_virus_where_no_file_is_seen_leaves_with_no_mail(receive, address_of, eastgate, scanner, dana_client, kind):
    raw = (
        mail_with(("x", EICAR)).replace(b"application/x-unheard-of", kind.encode()).replace(b"attachment;", b"inline;")
    )
    receive(address_of(eastgate), raw)
    run_jobs()
    message = Message.objects.get()
    answer = dana_client.get(f"/messages/{message.public_id}/mail/")
    assert (message.attachment_count, answer.status_code) == (0, 409)
    assert EICAR not in answer.content


def test_what_is_not_scanned_yet_cannot_be_opened(take, scanner, dana_client, client):
    scanner.answers = [b"stream: lstat() failed. ERROR\0"]
    [file] = take(("a.jpg", photo()))
    job = Job.objects.get(category="prepare-files")
    assert (file.state, job.status) == ("waiting", "scheduled")
    assert job.error.startswith("NotScanned")
    assert dana_client.get(f"/attachments/{file.public_id}/").status_code == 409
    assert dana_client.get(f"/attachments/{file.public_id}/preview/").status_code == 404
    assert client.get(path_of(link_to(file.pk, DOWNLOAD, timedelta(hours=1)))).status_code == 409
    run_failed_jobs()
    file.refresh_from_db()
    assert file.state == "ready"


def test_a_file_that_the_scanner_does_not_take_stays_closed(take, scanner, file_store):
    scanner.answers = [b"INSTREAM size limit exceeded. ERROR\0"]
    [file] = take(("offer.pdf", PDF))
    assert (file.state, kept_in(file_store)) == ("failed", [])
    assert "does not take files of this size" in file.detail


def test_a_store_that_cannot_be_written_loses_nothing(take, file_store):
    file_store.write_bytes(b"in the way")  # where its folder should be
    [file] = take(("offer.pdf", PDF))
    assert (file.state, Job.objects.get(category="prepare-files").status) == ("waiting", "scheduled")
    file_store.unlink()
    run_failed_jobs()
    assert kept_in(file_store) == [PDF]


def test_one_file_that_cannot_be_scanned_does_not_stop_the_others(take, scanner, file_store):
    scanner.answers = [b"stream: lstat() failed. ERROR\0"]
    first, second = take(("a.pdf", PDF), ("b.pdf", PDF))
    assert (first.state, second.state) == ("waiting", "ready")
    Attachment.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=4))
    scanner.answers = [b"stream: lstat() failed. ERROR\0"]
    run_failed_jobs()
    first.refresh_from_db()
    assert (first.state, "lstat() failed" in first.detail) == ("failed", True)  # nobody waits for it for ever


def test_a_job_that_is_done_again_keeps_nothing_twice(take, file_store):
    from conversations.services.attachments import prepare_files

    take(("offer.pdf", PDF))
    Attachment.objects.update(state="waiting")  # as if it was killed before it said so
    prepare_files(Message.objects.get().pk)
    assert kept_in(file_store) == [PDF]
    assert Attachment.objects.get().state == "ready"


def test_erasing_a_lead_removes_the_files(take, file_store, actor, client, dana_client):
    files = take(("a.jpg", photo()), ("offer.pdf", PDF))
    links = [path_of(link_to(file.pk, DOWNLOAD, timedelta(hours=1))) for file in files]
    assert len(kept_in(file_store)) == 3  # one has a preview
    assert erase_lead(lead=Lead.objects.get(), actor=actor)["files"] == 2
    assert [client.get(link).status_code for link in links] == [404, 404]
    run_jobs()
    assert kept_in(file_store) == []
    assert {(file.name, file.state) for file in Attachment.objects.all()} == {("[erased]", "erased")}
    assert dana_client.get(f"/attachments/{files[0].public_id}/").status_code == 409


def test_a_file_that_is_kept_while_its_lead_is_erased_goes_too(take, file_store, actor, monkeypatch):
    put = store.put

    def put_and_erase(key: str, content: bytes) -> None:
        put(key, content)
        erase_lead(lead=Lead.objects.get(), actor=actor)

    monkeypatch.setattr(store, "put", put_and_erase)
    take(("offer.pdf", PDF))
    assert kept_in(file_store) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ava\\tap.pdf", "tap.pdf"),
        ("fdp\u202egpj.exe", "fdpgpj.exe"),
        ("a" * 400 + ".pdf", "a" * 196 + ".pdf"),
        ("\u0000\u0007x.pdf", "x.pdf"),
        ("...", "file"),
        ("مرحبا 🎉.pdf", "مرحبا 🎉.pdf"),
    ],
)
def test_names_that_pretend_are_made_plain(sent, shown):
    from messaging.files.kinds import safe_name

    assert safe_name(sent) == shown


def test_text_with_many_dashes_is_kept_whole(take):
    script = b"-- a comment of SQL\n--- a/diff\n-----BEGIN X-----\n" * 500
    first, second = take(("dump.sql", script), ("offer.pdf", PDF))
    assert (first.state, store.get(first.key), second.state) == ("ready", script, "ready")


def test_the_last_file_of_a_mail_that_was_cut_says_so(take, monkeypatch):
    raw = mail_with(("a.pdf", PDF), ("b.pdf", PDF * 100))
    monkeypatch.setattr(reader, "list_files", lambda _: [file for file, _ in files_in(raw)])
    monkeypatch.setattr("messaging.email.files.MAIL_MAX_BYTES", 1_000)
    first, second = take(("a.pdf", PDF), ("b.pdf", PDF * 100))
    assert (first.state, second.state) == ("ready", "failed")
    assert "the end of this file is missing" in second.detail


def test_a_mail_of_nothing_but_a_file_says_so(take):
    [file] = take(("a.jpg", photo()), text="")
    assert (file.state, Message.objects.get().content) == ("ready", "Leaking tap")


def test_webhooks_carry_links_that_need_no_key(take, client):
    import json

    from conversations.webhook_bodies import with_links

    [file] = take(("offer.pdf", PDF))
    told = json.dumps(Event.objects.get(type="lead.created").payload)
    [shown] = json.loads(with_links(told))["message"]["attachments"]
    assert shown["id"] == file.public_id
    assert body_of(client.get(path_of(shown["url"]))) == PDF


def test_a_page_of_conversations_asks_once_for_all_files(receive, address_of, eastgate, api, dana, actor):
    for number in range(3):
        raw = mail_with(("offer.pdf", PDF), sender=f"lead{number}@example.net")
        receive(address_of(eastgate), raw.replace(b"<files@", f"<{number}@".encode()))
    creator = Membership.objects.get(user=dana)
    token = make_token(creator=creator, actor=actor, name="X", scopes=["conversations:read"])[1]
    with CaptureQueriesContext(connection) as asked:
        shown = api.get("conversations", token).json()["data"]["conversations"]
    assert [len(row["messages"][0]["attachments"]) for row in shown] == [1, 1, 1]
    assert sum('FROM "conversations_attachment"' in query["sql"] for query in asked) == 1
