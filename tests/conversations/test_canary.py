"""A person who came in by every door is erased: no table and no file holds a trace of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import Membership
from api.services import make_token
from conversations.models import Conversation, Message
from conversations.services import lifecycle as states
from conversations.services.replies import Author
from leads.models import Lead
from messaging.models import Dispatch, InboundMail
from outbox.models import Lane
from tests.conversations.test_personal_data import columns_with
from tests.support.due import run_jobs
from tests.support.esp import MailgunCalls, connected
from tests.support.mails import mail, reply_address, report

pytestmark = pytest.mark.django_db(transaction=True)

# Every word of the person begins with it, so that one search finds any.
CANARY = "canaryperson"
ADDRESS, OTHER, PHONE = f"{CANARY}@example.net", f"{CANARY}.other@example.org", "+14155557788"
STAFF = Author(Message.Author.STAFF, "Dana")


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["leads:write", "conversations:write", "jobs:write"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=scopes)[1]


def traces(folder: Path) -> list[str]:
    """Columns and files in which the person is."""
    texts = (CANARY, PHONE, PHONE[2:])
    files = [str(path) for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    return sorted({place for text in texts for place in columns_with(text)}) + files


@pytest.fixture
def everywhere(
    api,
    key,
    key_of,
    plumbing,
    webhook_at,
    receive,
    address_of,
    lead_at,
    settings,
    tmp_path,
    sms,
    twilio_server,
    esp_server,
    actor,
):
    """One lead by every door there is."""
    settings.MEDIA_ROOT = tmp_path
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead = lead_at(plumbing, ADDRESS, f"{CANARY} by the form", first_name=CANARY, phone=PHONE)
    api.create_lead(
        key, email=ADDRESS, first_name=CANARY, message_data={"said": CANARY}, headers={"Idempotency-Key": "1"}
    )
    _import(api, key, plumbing)
    inbox = address_of(plumbing)
    author = f"{CANARY} <{ADDRESS}>"
    receive(inbox, mail(f"{CANARY} by mail", sender=author, Message_ID=f"<{CANARY}.1@x>"))
    receive(inbox, mail(f"{CANARY} by mail", sender=author, Message_ID=f"<{CANARY}.1@x>"))  # a repeat
    _answer_and_bounce(api, key_of, lead, receive, inbox)
    thread = Conversation.objects.filter(lead=lead).latest("id")
    letter = mail(f"{CANARY} is away", sender=author, Message_ID=f"<{CANARY}.2@x>", Auto_Submitted="auto-replied")
    receive(inbox, letter, to=reply_address(thread))  # an automatic answer, in its conversation
    receive(
        inbox, mail(f"{CANARY} is away", sender=author, Message_ID=f"<{CANARY}.3@x>", Precedence="junk")
    )  # and apart
    receive(inbox, b"From: " + ADDRESS.encode() + b"\r\n" + b"X: y\r\n" * 30_000 + b"\r\n" + CANARY.encode())
    receive(inbox, report("msg_" + "0" * 26, "failed").replace(b"ava@example.net", ADDRESS.upper().encode()))
    states.note(conversation=thread, content=f"{CANARY} called", author=STAFF)
    api.post(f"leads/{lead.public_id}/messages", key, {"content": f"{CANARY} by SMS", "external_id": CANARY})
    api.call("PATCH", f"leads/{lead.public_id}", key, {"tags": [CANARY], "address": f"{CANARY} street"})
    api.post(f"leads/{lead.public_id}/opt-outs", key, {"channel": "email"})
    twilio_server.bring(sms, f"{CANARY} by SMS", PHONE)
    twilio_server.bring(sms, "", PHONE, MessageSid="")  # it names no message
    stranger = {"sid": "SM" + "9" * 32, "To": PHONE, "StatusCallback": sms.callback_url}
    twilio_server.report(stranger, "failed")
    _by_an_esp(plumbing, actor, author)
    run_jobs()
    second = lead_at(plumbing, OTHER, f"{CANARY} again", first_name=CANARY)
    receive(inbox, mail(f"{CANARY} again", sender=OTHER, Message_ID=f"<{CANARY}.4@x>", Precedence="junk"))
    api.post(f"leads/{second.public_id}/merge", key, {"into": lead.public_id})
    return lead


def _by_an_esp(source, actor, author: str) -> None:
    esp = MailgunCalls()
    esp.connection = connected("mailgun", source, actor)
    for number, is_whole in enumerate((True, False)):
        letter = mail(f"{CANARY} by an ESP", sender=author, Message_ID=f"<{CANARY}.esp{number}@x>")
        esp.bring(letter, sender=ADDRESS, is_whole=is_whole)
    esp.tell("hard", {"id": "<nobody@x>"}, to=ADDRESS)


def _import(api, key, source) -> None:
    row = {"email": ADDRESS, "last_name": CANARY, "pet": CANARY}
    answer = api.post(f"leads/import?source_id={source.public_id}", key, [row, {"email": CANARY}])
    assert answer.status_code == 202, answer.json()
    run_jobs()
    assert api.get(answer["Location"].removeprefix("/v1/"), key).json()["result"]["failed"] == 1


def _answer_and_bounce(api, key_of, lead, receive, inbox) -> None:
    public_id = api.reply(key_of(lead.source), lead, f"Dear {CANARY}").json()["data"]["message"]["id"]
    sent = Message.objects.filter(author="api").latest("id")
    Message.objects.filter(pk=sent.pk).update(status="sent")
    Dispatch.objects.all().delete()
    Lane.objects.filter(pk=inbox.lane_id).update(last_error=f"550 5.1.1 <{ADDRESS}> no such user")
    bounce = report(public_id, "failed").replace(b"550 user", f"550 <{ADDRESS}> user".encode())
    receive(inbox, bounce.replace(b"ava@example.net", ADDRESS.encode()))
    sent.refresh_from_db()
    assert CANARY in sent.error_detail


def test_an_erased_person_is_nowhere(everywhere, api, key, tmp_path):
    before = traces(tmp_path)
    for place in ("messaging_inboundmail.raw", "conversations_message.error_detail", "leads_lead.email",
                  "messaging_inboundcall.body", "outbox_lane.last_error", "conversations_message.author_name"):  # fmt: skip
        assert place in before, "else this test proves nothing"
    assert Lead.objects.filter(merged_into=None).count() == 1, list(Lead.objects.values_list("email", flat=True))
    assert InboundMail.objects.filter(outcome="automatic", message_id=None).count() == 3
    answer = api.post(f"leads/{everywhere.public_id}/erase", key)
    assert answer.status_code == 200
    assert traces(tmp_path) == []


def test_mails_of_others_stay(everywhere, api, key, receive, address_of, plumbing):
    inbound = receive(address_of(plumbing), mail("Yours", sender="Tom <tom@example.net>", Message_ID="<tom@x>"))
    apart = receive(address_of(plumbing), mail("News", sender="news@x.example", Precedence="junk"))
    api.post(f"leads/{everywhere.public_id}/erase", key)
    for row in (inbound, apart):
        row.refresh_from_db()
        assert row.sender
        assert len(bytes(row.raw)) > 100
