"""Files of SMS (MMS) and WhatsApp: fetched from the provider, and sent by it."""

from __future__ import annotations

import pytest

from conversations.models import Attachment, Message
from conversations.services import uploads
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send
from core.problems import Refusal
from leads.models import Lead
from messaging.files import store
from tests.providers import twilio
from tests.support.due import claim_of, run_failed_jobs, run_jobs
from tests.support.files import PDF, photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("file_store")]
STAFF = Author(Message.Author.STAFF, "Dana")


def twilio_url(server, media_id: str) -> str:
    return f"{server.url}/2010-04-01/Accounts/{twilio.ACCOUNT_SID}/Messages/MM1/Media/{media_id}"


def bring_mms(server, connection, *urls: str, text: str = "") -> None:
    media = {f"MediaUrl{index}": url for index, url in enumerate(urls)}
    kinds = {f"MediaContentType{index}": "image/jpeg" for index in range(len(urls))}
    server.bring(connection, text, NumMedia=str(len(urls)), **media, **kinds)


def bring_image(server, connection, media_id: str, kind: str = "image", **more: str) -> None:
    row = {"from": "14155550100", "id": "wamid.1", "timestamp": "1700000000", "type": kind}
    server.tell(connection, messages=[{**row, kind: {"id": media_id, "mime_type": "image/jpeg; x=y", **more}}])


def answer(lead: Lead, text: str, *files: tuple[str, bytes]) -> Message:
    kept = [uploads.keep(source=lead.source, name=name, content=content) for name, content in files]
    reply = Reply(text, file_keys=[file.key for file in kept])
    message = send_reply(lead_id=lead.pk, reply=reply, author=STAFF)
    _send(claim_of(message))
    message.refresh_from_db()
    return message


def test_pictures_of_an_mms_are_fetched(sms, twilio_server, read_calls):
    """With the account's credentials from Twilio, and without them from where Twilio sends us."""
    picture = photo()
    twilio_server.keep("ME1", picture)
    twilio_server.keep("ME2", PDF)
    bring_mms(twilio_server, sms, twilio_url(twilio_server, "ME1"), twilio_url(twilio_server, "ME2"))
    read_calls()
    assert Message.objects.get().content == "(no text)"
    assert {file.state for file in Attachment.objects.all()} == {"waiting"}
    run_jobs()
    first, second = Attachment.objects.order_by("id")
    assert (first.state, first.content_type, first.has_preview) == ("ready", "image/jpeg", True)
    assert (second.content_type, second.name) == ("application/pdf", "file.jpg")
    assert (store.get(first.key), store.get(second.key)) == (picture, PDF)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://169.254.169.254/latest", "file:///etc/passwd", "https://evil.example.com/x"]
)
def test_credentials_go_nowhere_but_to_twilio(sms, twilio_server, read_calls, url):
    bring_mms(twilio_server, sms, url)
    read_calls()
    run_jobs()
    file = Attachment.objects.get()
    assert (file.state, file.detail) == ("failed", "The file is not at Twilio.")


def test_a_file_that_the_provider_has_no_more_says_so(sms, twilio_server, read_calls):
    bring_mms(twilio_server, sms, twilio_url(twilio_server, "MEgone"))
    read_calls()
    run_jobs()
    file = Attachment.objects.get()
    assert (file.state, file.detail) == ("failed", "Twilio did not give the file out: status 404.")


def test_a_provider_that_is_down_is_asked_again(sms, twilio_server, read_calls, settings):
    twilio_server.keep("ME3", PDF)
    url = twilio_url(twilio_server, "ME3")
    bring_mms(twilio_server, sms, url)
    read_calls()
    Attachment.objects.update(media_id=url.replace(twilio_server.url, "http://127.0.0.1:1"))
    settings.LEADWIRE_TWILIO_URL = "http://127.0.0.1:1"  # nobody listens
    run_jobs()
    assert Attachment.objects.get().state == "waiting"
    settings.LEADWIRE_TWILIO_URL = twilio_server.url
    Attachment.objects.update(media_id=url)
    run_failed_jobs()
    assert Attachment.objects.get().state == "ready"


def test_an_mms_goes_out_with_a_link_that_twilio_can_fetch(sms, twilio_server, read_calls, client):
    twilio_server.bring(sms, "Hello")
    read_calls()
    picture = photo()
    message = answer(Lead.objects.get(), "", ("a.jpg", picture))
    assert message.status == "sent", message.error_detail
    [url] = twilio_server.taken[-1]["MediaUrls"]
    fetched = client.get("/" + url.split("/", 3)[3])
    assert (fetched["Content-Type"], b"".join(fetched.streaming_content)) == ("image/jpeg", picture)


def test_a_whatsapp_picture_is_fetched_in_two_steps(whatsapp, meta_server, read_calls):
    picture = photo()
    meta_server.keep("4711", picture)
    bring_image(meta_server, whatsapp, "4711", caption="The tap")
    read_calls()
    run_jobs()
    file = Attachment.objects.get()
    assert (file.state, file.name, store.get(file.key)) == ("ready", "file.jpg", picture)
    assert Message.objects.get().content == "The tap"


def test_a_whatsapp_document_keeps_its_name(whatsapp, meta_server, read_calls):
    meta_server.keep("4712", PDF)
    bring_image(meta_server, whatsapp, "4712", "document", filename="../Offer.pdf")
    read_calls()
    run_jobs()
    assert (Attachment.objects.get().name, Attachment.objects.get().content_type) == ("Offer.pdf", "application/pdf")


@pytest.mark.parametrize("media_id", ["../../me", "1?x=y", "1/../2"])
def test_an_odd_id_is_not_asked_for(whatsapp, meta_server, read_calls, media_id):
    bring_image(meta_server, whatsapp, media_id)
    read_calls()
    run_jobs()
    assert Attachment.objects.get().detail == "This is no id of a file at WhatsApp."


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("a.jpg", photo(), "image"), ("Offer.pdf", PDF, "document"), ("a.bin", b"\0", "document")],
)
def test_files_go_out_by_whatsapp(whatsapp, meta_server, read_calls, name, content, kind):
    meta_server.bring(whatsapp, "Hello")
    read_calls()
    message = answer(Lead.objects.get(), "Look", (name, content))
    assert message.status == "sent", message.error_detail
    sent = meta_server.taken[-1]
    assert (sent["type"], sent[kind]["caption"]) == (kind, "Look")
    assert sent[kind].get("filename", name) == name


def test_what_a_channel_does_not_take_is_refused_at_once(whatsapp, sms, meta_server, twilio_server, read_calls):
    meta_server.bring(whatsapp, "Hello")
    read_calls()
    lead = Lead.objects.get()
    with pytest.raises(Refusal, match="at most 1 with a message"):
        answer(lead, "", ("a.pdf", PDF), ("b.pdf", PDF))
    with pytest.raises(Refusal, match="at most 1024 characters with a file"):
        answer(lead, "x" * 1_025, ("a.pdf", PDF))
    twilio_server.bring(sms, "Hello")
    read_calls()
    with pytest.raises(Refusal, match="at most 5 MB"):
        answer(Lead.objects.get(), "", ("a.bin", b"\0" * (5 * 1024 * 1024 + 1)))


def test_an_address_that_is_not_at_meta_gets_no_token():
    from messaging.meta.media import is_address_of_media

    assert is_address_of_media("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")
    for url in (
        "http://lookaside.fbsbx.com/x",
        "https://fbsbx.com.evil.example/x",
        "https://evilfbsbx.com/x",
        "https://[/",
    ):
        assert not is_address_of_media(url), url
