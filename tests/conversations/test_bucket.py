"""Files in a bucket of S3, as a real server of its API has it (moto)."""

from __future__ import annotations

import urllib.error
import urllib.request

import boto3
import pytest

from conversations.models import Attachment, Message
from conversations.services import uploads
from conversations.services.erasing import erase_lead
from conversations.services.sending import _send
from core.ids import encode
from leads.models import Lead
from messaging.files import store
from tests.support.due import claim_of, run_jobs
from tests.support.files import PDF, mail_with, photo

pytestmark = pytest.mark.django_db
BUCKET = "northside-files"


@pytest.fixture
def bucket(aws, settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    options = {"bucket_name": BUCKET, "endpoint_url": aws, "region_name": "us-east-1", "file_overwrite": True,
               "default_acl": None, "signature_version": "s3v4"}  # fmt: skip
    storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "attachments": storage}
    resource = boto3.resource("s3", endpoint_url=aws, region_name="us-east-1")
    made = resource.Bucket(BUCKET)
    made.create()
    yield made
    made.objects.all().delete()
    made.delete()
    resource.meta.client.close()
    hang_up()


def hang_up() -> None:
    """Close the connections of the storage in use, before another one takes its place."""
    store.store().connection.meta.client.close()


def names_in(bucket) -> list[str]:
    return sorted(item.key for item in bucket.objects.all())


def fetch(url: str):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.headers, answer.read()


def put(url: str, content: bytes) -> int:
    request = urllib.request.Request(url, content, {"Content-Type": "application/pdf"}, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_files_of_a_mail_are_in_the_bucket(bucket, receive, address_of, eastgate, dana_client, api, key_of):
    receive(address_of(eastgate), mail_with(("a.jpg", photo()), ("Angebot ☃.pdf", PDF)))
    run_jobs()
    picture, offer = Attachment.objects.order_by("id")
    assert names_in(bucket) == sorted([picture.key, picture.preview_key, offer.key])
    assert dana_client.get(f"/attachments/{picture.public_id}/preview/")["Content-Type"] == "image/webp"
    answer = api.get(f"attachments/{offer.public_id}/download", key_of(eastgate))
    headers, content = fetch(answer["Location"])
    assert (headers["Content-Type"], content) == ("application/pdf", PDF)
    assert headers["Content-Disposition"].startswith("attachment; filename*=utf-8''Angebot")
    assert dana_client.get(f"/attachments/{offer.public_id}/").status_code == 302


def test_erasing_empties_the_bucket(bucket, receive, address_of, eastgate, actor):
    receive(address_of(eastgate), mail_with(("a.jpg", photo())))
    run_jobs()
    erase_lead(lead=Lead.objects.get(), actor=actor)
    run_jobs()
    assert names_in(bucket) == []


def test_an_upload_goes_to_the_bucket_and_out_by_mail(bucket, api, key_of, eastgate, lead_at, mail_server):
    key, lead = key_of(eastgate), lead_at(eastgate)
    told = api.post("attachments", key, {"name": "offer.pdf", "size": len(PDF)}).json()["data"]
    assert told["upload"]["url"].split("?")[0].endswith(told["key"])
    assert api.reply(key, lead, s3_attachment=told["key"]).json()["code"] == "attachment.notFound"  # not there yet
    assert put(told["upload"]["url"], PDF) == 200
    assert api.reply(key, lead, s3_attachment=told["key"]).status_code == 201
    message = Message.objects.get(direction="outbound")
    _send(claim_of(message))
    [part] = mail_server.mails[-1].iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("offer.pdf", PDF)
    attachment = Attachment.objects.get()
    assert names_in(bucket) == [attachment.key] != [told["key"]]
    assert put(told["upload"]["url"], b"%PDF-other") == 200  # its link lasts, and changes nothing that was checked
    assert attachment.key in names_in(bucket)
    assert bucket.Object(attachment.key).get()["Body"].read() == PDF


def test_a_file_of_the_business_in_the_bucket_is_sent_and_stays(
    bucket, api, key_of, eastgate, westgate, lead_at, mail_server
):
    own = f"{encode('org', eastgate.organization_id)}/{eastgate.public_id}/brochures/Spring 2026.pdf"
    other = own.replace(eastgate.public_id, westgate.public_id)
    for name in (own, other):
        bucket.put_object(Key=name, Body=PDF)
    key = key_of(eastgate)
    for email in ("ava@example.net", "ben@example.net"):
        lead = lead_at(eastgate, email)
        assert api.reply(key, lead, s3_attachment=own).status_code == 201
        message = Message.objects.get(direction="outbound", lead=lead)
        _send(claim_of(message))
        [part] = mail_server.mails[-1].iter_attachments()
        assert (part.get_filename(), part.get_content()) == ("Spring 2026.pdf", PDF)
    assert own in names_in(bucket)
    assert api.reply(key, lead, s3_attachment=other).json()["code"] == "attachment.notFound"
    for way_round in ("../", "./", "brochures/../../", "uploads/../", "..\\"):
        named = f"{own.partition('brochures')[0]}{way_round}{westgate.public_id}/brochures/Spring 2026.pdf"
        assert api.reply(key, lead, s3_attachment=named).json()["code"] == "attachment.notFound", named
    sent = Attachment.objects.first().key
    assert api.reply(key, lead, s3_attachment=sent).json()["code"] == "attachment.notFound"  # of another message


def test_erasing_takes_the_upload_along_that_was_not_yet_copied(bucket, api, key_of, eastgate, lead_at, actor):
    key, lead = key_of(eastgate), lead_at(eastgate)
    told = api.post("attachments", key, {"name": "offer.pdf", "size": len(PDF)}).json()["data"]
    put(told["upload"]["url"], PDF)
    api.reply(key, lead, s3_attachment=told["key"])
    erase_lead(lead=lead, actor=actor)
    run_jobs()
    assert names_in(bucket) == []


def test_a_bucket_that_is_away_delays_a_message(bucket, api, key_of, eastgate, lead_at, mail_server, settings):
    key, lead = key_of(eastgate), lead_at(eastgate)
    told = api.post("attachments", key, {"name": "offer.pdf", "size": len(PDF)}).json()["data"]
    put(told["upload"]["url"], PDF)
    api.reply(key, lead, s3_attachment=told["key"])
    message, there = Message.objects.get(direction="outbound"), settings.STORAGES
    options = {**there["attachments"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:1"}  # nobody listens
    hang_up()
    settings.STORAGES = {**there, "attachments": {**there["attachments"], "OPTIONS": options}}
    _send(claim_of(message))
    message.refresh_from_db()
    assert (message.status, "The file waits" in message.error_detail) == ("sending", True)
    hang_up()
    settings.STORAGES = there
    _send(claim_of(message))
    message.refresh_from_db()
    assert (message.status, message.error_detail) == ("sent", "")
    assert len(mail_server.mails) == 1


def test_unused_uploads_leave_the_bucket(bucket, api, key_of, eastgate, monkeypatch):
    told = api.post("attachments", key_of(eastgate), {"name": "offer.pdf", "size": len(PDF)}).json()["data"]
    put(told["upload"]["url"], PDF)
    monkeypatch.setattr(uploads, "KEPT_UNUSED", -uploads.KEPT_UNUSED)
    assert uploads.sweep_uploads() == 1
    assert names_in(bucket) == []
