"""Files that go out: announced and uploaded by callers, chosen by people, sent with a message, swept when unused."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import Membership
from api.services import make_token
from conversations.models import Attachment, Message
from conversations.services import uploads
from conversations.services.lifecycle import retry
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send
from core.ids import uuid7
from messaging.files import store
from tests.support.due import claim_of, run_jobs
from tests.support.files import EICAR, PDF, kept_in, photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("file_store")]
STAFF = Author(Message.Author.STAFF, "Dana")


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


@pytest.fixture
def upload(api, client):
    """Announce a file and upload it, as a caller does. Return its key."""

    def put(key: str, name: str = "offer.pdf", content: bytes = PDF, **more: str) -> str:
        answer = api.post("attachments", key, {"name": name, "size": len(content), **more})
        assert answer.status_code == 201, answer.content
        told = answer.json()["data"]
        assert told["upload"]["method"] == "PUT"
        sent = client.put(path_of(told["upload"]["url"]), content, content_type="application/pdf")
        assert sent.status_code == 204, sent.content
        return told["key"]

    return put


def send(message: Message) -> Message:
    _send(claim_of(message))
    message.refresh_from_db()
    return message


def test_a_file_is_uploaded_and_mailed(api, key_of, eastgate, lead_at, upload, mail_server):
    key, lead = key_of(eastgate), lead_at(eastgate)
    answer = api.reply(key, lead, "Here is our offer.", s3_attachment=upload(key, "Angebot ☃.pdf"))
    assert answer.status_code == 201, answer.content
    [shown] = answer.json()["data"]["message"]["attachments"]
    assert (shown["name"], shown["size"]) == ("Angebot ☃.pdf", len(PDF))
    message = send(Message.objects.get(direction="outbound"))
    assert message.status == "sent", message.error_detail
    [part] = mail_server.mails[-1].iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "Angebot ☃.pdf",
        "application/pdf",
        PDF,
    )
    assert mail_server.mails[-1].get_body(("plain",)).get_content().strip() == "Here is our offer."


def test_a_file_needs_no_words_and_a_reply_needs_something(api, key_of, eastgate, lead_at, upload):
    key, lead = key_of(eastgate), lead_at(eastgate)
    path = f"leads/{lead.public_id}/conversations/reply"
    assert api.post(path, key, {"s3_attachment": upload(key)}).status_code == 201
    assert Message.objects.get(direction="outbound").conversation.last_words == "(a file)"
    refused = api.post(path, key, {})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "#/content")


def test_a_file_is_sent_once(api, key_of, eastgate, lead_at, upload):
    key, lead = key_of(eastgate), lead_at(eastgate)
    file = upload(key)
    assert api.reply(key, lead, s3_attachment=file).status_code == 201
    again = api.reply(key, lead, s3_attachment=file)
    assert (again.status_code, again.json()["code"]) == (422, "attachment.notFound")
    assert Message.objects.filter(direction="outbound").count() == 1


@pytest.mark.parametrize("named", ["org_x/src_x/1", "../../etc/passwd", "\u202e", "/etc/passwd", "a" * 1_000])
def test_a_key_that_names_nothing_is_refused(named, api, key_of, eastgate, lead_at):
    answer = api.reply(key_of(eastgate), lead_at(eastgate), s3_attachment=named)
    assert (answer.status_code, answer.json()["code"]) == (422, "attachment.notFound")


def test_a_file_that_was_only_announced_is_refused(api, key_of, eastgate, lead_at):
    key = key_of(eastgate)
    file = api.post("attachments", key, {"name": "a.pdf", "size": 5}).json()["data"]["key"]
    answer = api.reply(key, lead_at(eastgate), s3_attachment=file)
    assert answer.json()["code"] == "attachment.notFound"


def test_a_file_of_another_source_is_refused(api, key_of, plumbing, eastgate, westgate, dental, lead_at, upload):
    lead = lead_at(eastgate)
    key = key_of(eastgate)
    for other in (westgate, dental):
        answer = api.reply(key, lead, s3_attachment=upload(key_of(other)))
        assert answer.json()["code"] == "attachment.notFound"
    sent = api.reply(key, lead, s3_attachment=upload(key_of(plumbing)))  # the business above it
    assert sent.status_code == 201
    run_jobs()
    [file] = sent.json()["data"]["message"]["attachments"]
    assert api.get(f"attachments/{file['id']}/download", key).status_code == 302  # it is the message's now


def test_a_token_says_for_which_source(api, dana, actor, eastgate, dental, upload, key_of):
    creator = Membership.objects.get(user=dana)
    token = make_token(creator=creator, actor=actor, name="CRM", scopes=["conversations:write"])[1]
    announced = {"name": "a.pdf", "size": 5}
    missing = api.post("attachments", token, announced)
    assert missing.json()["errors"][0]["pointer"] == "#/source_id"
    assert api.post("attachments", token, {**announced, "source_id": eastgate.public_id}).status_code == 201
    foreign = api.post("attachments", token, {**announced, "source_id": dental.public_id})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "source.notFound")
    card = api.post("attachments", key_of(eastgate), {**announced, "source_id": dental.public_id})
    assert card.status_code == 404


@pytest.mark.parametrize("size", [0, -1, 25 * 1024 * 1024 + 1, "x", 1.5, None, [5]])
def test_sizes_have_bounds(size, api, key_of, eastgate):
    answer = api.post("attachments", key_of(eastgate), {"name": "a.pdf", "size": size})
    assert answer.json()["errors"][0]["pointer"] == "#/size"


def test_what_comes_is_what_was_announced(api, key_of, eastgate, client):
    link = api.post("attachments", key_of(eastgate), {"name": "a.pdf", "size": 5}).json()["data"]["upload"]["url"]
    for content in (b"1234", b"123456"):
        answer = client.put(path_of(link), content, content_type="application/pdf")
        assert (answer.status_code, b"announced with 5 bytes" in answer.content) == (400, True)
    assert client.get(path_of(link)).status_code == 405
    assert client.put(path_of(link).replace("/files/upload/", "/files/upload/x"), b"12345").status_code == 404


def test_what_was_sent_cannot_be_changed_by_its_old_link(api, key_of, eastgate, lead_at, client):
    key = key_of(eastgate)
    told = api.post("attachments", key, {"name": "a.txt", "size": 5}).json()["data"]
    assert client.put(path_of(told["upload"]["url"]), b"first").status_code == 204
    assert client.put(path_of(told["upload"]["url"]), b"other").status_code == 204  # nobody has it yet
    api.reply(key, lead_at(eastgate), s3_attachment=told["key"])
    assert client.put(path_of(told["upload"]["url"]), b"third").status_code == 404
    assert store.get(Attachment.objects.get().key) == b"other"


def test_an_organization_keeps_so_much_for_later(api, key_of, eastgate, monkeypatch, lead_at, upload):
    monkeypatch.setattr(uploads, "UNUSED_MAX", 100)
    key = key_of(eastgate)
    file = upload(key, content=b"x" * 60)
    refused = api.post("attachments", key, {"name": "a", "size": 60})
    assert (refused.status_code, refused.json()["code"]) == (409, "attachment.tooMany")
    api.reply(key, lead_at(eastgate), s3_attachment=file)
    assert api.post("attachments", key, {"name": "a", "size": 60}).status_code == 201


def test_unused_files_are_swept_after_a_day(api, key_of, eastgate, lead_at, upload, file_store):
    key = key_of(eastgate)
    used, old, _new = upload(key), upload(key), upload(key)
    api.reply(key, lead_at(eastgate), s3_attachment=used)
    long_ago = uuid7(timezone.now() - uploads.KEPT_UNUSED * 2)
    Attachment.objects.filter(key=old).update(id=long_ago)
    assert uploads.sweep_uploads() == 1
    assert len(kept_in(file_store)) == 2
    assert not Attachment.objects.filter(key=old).exists()


def test_a_file_with_a_virus_is_not_sent(api, key_of, eastgate, lead_at, upload, mail_server, scanner):
    key = key_of(eastgate)
    api.reply(key, lead_at(eastgate), s3_attachment=upload(key, "game.exe", EICAR))
    message = send(Message.objects.get(direction="outbound"))
    assert (message.status, message.error_code) == ("failed", "attachment.notReady")
    assert "“game.exe” was not sent: a virus was found in it. Eicar-Test" in message.error_detail
    assert mail_server.mails == []


def test_a_message_waits_for_the_scanner(api, key_of, eastgate, lead_at, upload, mail_server, scanner):
    key = key_of(eastgate)
    api.reply(key, lead_at(eastgate), s3_attachment=upload(key))
    scanner.answers = [b"busy. ERROR\0"]
    message = send(Message.objects.get(direction="outbound"))
    assert (message.status, "busy" in message.error_detail) == ("sending", True)
    assert send(message).status == "sent"


def test_sending_again_sends_the_file_again(eastgate, lead_at, upload, key_of, api, mail_server, file_store):
    key, lead = key_of(eastgate), lead_at(eastgate)
    api.reply(key, lead, s3_attachment=upload(key))
    mail_server.refusals = ["550 5.7.1 not today"]
    failed = send(Message.objects.get(direction="outbound"))
    assert failed.status == "failed"
    again = send(retry(message=failed, author=STAFF))
    assert again.status == "sent", again.error_detail
    [part] = mail_server.mails[-1].iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("offer.pdf", PDF)
    run_jobs()
    assert kept_in(file_store) == [PDF, PDF]  # each message has its own: erasing one leaves the other


def test_a_file_with_a_virus_is_not_sent_by_sending_again(eastgate, lead_at, upload, key_of, api, mail_server, scanner):
    key = key_of(eastgate)
    api.reply(key, lead_at(eastgate), s3_attachment=upload(key, "game.exe", EICAR))
    failed = send(Message.objects.get(direction="outbound"))
    again = send(retry(message=failed, author=STAFF))
    assert (again.status, again.error_code) == ("failed", "attachment.notReady")
    assert "Eicar-Test" in again.error_detail
    assert mail_server.mails == []


def test_the_team_answers_with_files(dana_client, eastgate, lead_at, mail_server):
    lead = lead_at(eastgate)
    path = f"/inbox/{lead.conversations.get().public_id}/"
    files = [SimpleUploadedFile("a.jpg", photo()), SimpleUploadedFile("b.pdf", PDF)]
    dana_client.post(f"{path}reply/", {"content": "Two files.", "chosen": files})
    message = send(Message.objects.get(direction="outbound"))
    assert [part.get_filename() for part in mail_server.mails[-1].iter_attachments()] == ["a.jpg", "b.pdf"]
    assert "b.pdf" in dana_client.get(path).content.decode()
    assert message.attachment_count == 2


def test_files_are_not_chosen_twice_when_the_answer_is_refused(dana_client, eastgate, lead_at):
    lead = lead_at(eastgate)
    path = f"/inbox/{lead.conversations.get().public_id}/reply/"
    before = Message.objects.get().public_id
    send_reply(lead_id=lead.pk, reply=Reply("Somebody was quicker."), author=STAFF)
    words = {"content": "Hello", "last": before}
    page = dana_client.post(path, {**words, "chosen": SimpleUploadedFile("b.pdf", PDF)}).content.decode()
    [key] = re.findall(r'name="kept" value="([^"]+)" checked', page)
    assert "b.pdf" in page
    dana_client.post(path, {"content": "Hello", "kept": key})
    assert Message.objects.filter(attachment_count=1).count() == 1


def test_somebody_elses_upload_is_not_taken(dana_client, eastgate, westgate, lead_at, upload, key_of):
    path = f"/inbox/{lead_at(eastgate).conversations.get().public_id}/reply/"
    page = dana_client.post(path, {"content": "Hello", "kept": upload(key_of(westgate))}).content.decode()
    assert not Message.objects.filter(direction="outbound").exists()
    assert "Choose the files again" in page


@pytest.mark.parametrize("more", [{}, {"content": "   "}])
def test_an_answer_of_nothing_is_refused(more, dana_client, eastgate, lead_at):
    path = f"/inbox/{lead_at(eastgate).conversations.get().public_id}/reply/"
    assert "Write an answer, or choose a file." in dana_client.post(path, more).content.decode()


def test_a_note_takes_no_files(dana_client, eastgate, lead_at):
    path = f"/inbox/{lead_at(eastgate).conversations.get().public_id}/notes/"
    page = dana_client.post(path, {"content": "Hello", "chosen": SimpleUploadedFile("b.pdf", PDF)}).content.decode()
    assert "A note takes no files" in page
    assert not Message.objects.filter(kind="note").exists()
