"""Mailboxes of the business: what comes in is read by IMAP, each mail once; what goes out goes by SMTP."""

from __future__ import annotations

import socketserver
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from accounts.models import Membership
from api.services import make_token
from conversations.models import Conversation, Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from messaging.accounts import account_of
from messaging.base import Account
from messaging.email import incoming
from messaging.mailbox import fetching
from messaging.mailbox.fetching import MovedOn, TooManyWaiting, return_path
from messaging.mailbox.inbox import Failure, Inbox, in_words
from messaging.mailbox.places import for_reading
from messaging.models import ChannelConnection, InboundMail, MailFolder
from messaging.registry import PROVIDERS
from messaging.services import change
from messaging.trying import check, send_test
from tests.support.due import claim_of
from tests.support.mailboxes import ADDRESS, look, numbered, understand
from tests.support.mails import mail, report

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def answer(lead) -> Message:
    """Answer a lead, and let the stream's function send it."""
    message = send_reply(lead_id=lead.pk, reply=Reply("We come at four."), author=STAFF)
    send_claimed(claim_of(message))
    message.refresh_from_db()
    return message


def test_only_what_is_new_is_read_once_and_nothing_is_marked(mailbox, imap_server):
    imap_server.put(*numbered(1, 2))
    assert look(mailbox) == 0
    imap_server.put(*numbered(3, 4))
    assert (look(mailbox), look(mailbox)) == (2, 0)
    assert [message.content for message in understand()] == ["Mail 3", "Mail 4"]
    assert not any(b"\\Seen" in flags for flags in imap_server.flags())


def test_the_last_days_are_read_when_asked(mailbox, imap_server, actor):
    change(connection=mailbox, actor=actor, settings={"first_days": "3"})
    imap_server.put(*numbered(1, 2))
    assert look(ChannelConnection.objects.get(pk=mailbox.pk)) == 2


def test_after_a_reset_of_the_numbers_nothing_comes_twice_and_nothing_is_lost(mailbox, imap_server):
    look(mailbox)
    imap_server.put(*numbered(1, 2))
    look(mailbox)
    understand()
    before = MailFolder.objects.get().uid_validity
    imap_server.stop()
    imap_server.start()
    imap_server.put(*numbered(1, 2, 3))  # it was put back from a copy, and one came meanwhile
    look(mailbox)
    assert MailFolder.objects.get().uid_validity != before
    assert [message.content for message in understand()] == ["Mail 1", "Mail 2", "Mail 3"]


def test_a_mail_that_is_removed_meanwhile_stops_nothing(mailbox, imap_server):
    look(mailbox)
    imap_server.put(*numbered(1, 2))
    inbox, folder = Inbox(for_reading(account_of(mailbox))), MailFolder.objects.get()
    inbox.select_folder("INBOX", readonly=True)
    gone = folder.last_uid + 1_000
    assert fetching._keep_some(inbox, mailbox, folder, [folder.last_uid + 1, gone]) == 1
    inbox.hang_up()
    assert MailFolder.objects.get().last_uid == gone


def test_two_who_read_the_same_mailbox_keep_each_mail_once(mailbox, imap_server):
    look(mailbox)
    imap_server.put(*numbered(1))
    place = for_reading(account_of(mailbox))
    inbox = Inbox(place)
    inbox.select_folder("INBOX", readonly=True)
    stale = MailFolder.objects.get()
    look(mailbox)
    with pytest.raises(MovedOn):
        fetching._keep_some(inbox, mailbox, stale, [stale.last_uid + 1])
    inbox.hang_up()
    assert InboundMail.objects.count() == 1


def test_reading_waits_for_those_who_make_sense_of_mails(mailbox, imap_server, monkeypatch):
    monkeypatch.setattr(incoming, "WAITING_MAX", 2)
    monkeypatch.setattr(fetching, "AT_ONCE", 1)
    look(mailbox)
    imap_server.put(*numbered(1, 2, 3))
    with pytest.raises(TooManyWaiting):
        look(mailbox)
    understand()
    assert look(mailbox) == 1
    assert len(understand()) == 3


def test_a_mail_with_any_bytes_arrives_as_it_is(mailbox, imap_server):
    look(mailbox)
    raw = mail("Grüße 🐈 مرحبا)").replace(b"\n", b"\r\n") + b"\x00\xff)\r\n* 99 EXISTS\r\n"
    imap_server.put(raw)
    look(mailbox)
    assert bytes(InboundMail.objects.get().raw) == raw


def test_a_long_mail_is_read_from_its_beginning(mailbox, imap_server, monkeypatch):
    monkeypatch.setattr(fetching, "MAIL_MAX_BYTES", 2_000)
    look(mailbox)
    imap_server.put(mail("Hello there.\n" + "x" * 70 + "\n" * 10_000))
    look(mailbox)
    assert len(bytes(InboundMail.objects.get().raw)) == 2_000
    assert understand()[0].content.startswith("Hello there.")


def test_the_sender_of_the_envelope_is_what_the_delivering_server_wrote():
    assert return_path(b"Return-Path: <Ava@Example.net>\r\nFrom: x\r\nReturn-Path: <forged@example.org>\r\n\r\n") == (
        "ava@example.net"
    )
    assert return_path(b"From: x\r\n\r\nReturn-Path: <body@example.net>\r\n") == ""


def test_a_reply_goes_out_by_the_mailbox_and_its_answer_comes_back(
    mailbox, imap_server, smtp_account, eastgate, lead_at, actor
):
    sent = answer(lead_at(eastgate))
    letter = smtp_account.wait(1)[0]
    assert (letter["From"], letter["Reply-To"]) == (f"Sales <{ADDRESS}>", ADDRESS)
    look(mailbox)
    imap_server.put(mail("Great!", In_Reply_To=letter["Message-ID"], Message_ID="<second@example.net>"))
    look(mailbox)
    came = understand()[-1]
    assert (came.content, came.conversation_id, came.source_id) == (
        "Great!",
        sent.conversation_id,
        eastgate.pk,
    )


def test_a_bounce_in_the_mailbox_marks_the_message(mailbox, imap_server, smtp_account, eastgate, lead_at, actor):
    sent = answer(lead_at(eastgate))
    look(mailbox)
    imap_server.put(report(sent.public_id, "failed"))
    look(mailbox)
    understand()
    sent.refresh_from_db()
    assert (sent.status, sent.error_code) == ("failed", "channel.bounced")


def test_a_new_lead_arrives_at_the_home_of_the_mailbox(mailbox, imap_server, plumbing):
    look(mailbox)
    imap_server.put(mail("Hello"))
    look(mailbox)
    assert understand()[0].source_id == plumbing.pk
    assert Conversation.objects.get().title == "Leaking tap"


def test_a_mailbox_that_only_sends_is_answered_at_our_own_address(mailbox, smtp_account, eastgate, lead_at, actor):
    change(connection=mailbox, actor=actor, settings={"imap_host": ""})
    sent = answer(lead_at(eastgate))
    built_in = eastgate.connections.get(provider="installation")
    assert smtp_account.wait(1)[0]["Reply-To"] == built_in.address_with(sent.conversation.reply_token)


def test_a_password_that_is_refused_waits_and_says_what_to_do(mailbox, smtp_account, eastgate, lead_at, actor):
    smtp_account.password = "another"
    sent = answer(lead_at(eastgate))
    assert sent.status == "sending"
    assert "Enter the current ones" in sent.error_detail


@pytest.mark.parametrize("wrong", ["password", "smtp", "imap", "private"])
def test_check_says_what_is_wrong(wrong, mailbox, imap_server, smtp_account, actor, settings):
    assert check(connection=mailbox, actor=actor)["detail"].startswith("Both servers take")
    if wrong == "password":
        change(connection=mailbox, actor=actor, settings={"password": "another"})
        words = "refuses the user name or the password"
    elif wrong == "smtp":
        change(connection=mailbox, actor=actor, settings={"smtp_port": "1"})
        words = "refused"
    elif wrong == "imap":
        imap_server.stop()
        words = "The server for reading cannot be used"
    else:
        settings.LEADWIRE_ALLOW_NETWORKS = []
        words = "not a public address"
    result = check(connection=mailbox, actor=actor)
    assert (result["ok"], words in result["detail"]) == (False, True), result


def test_a_test_mail_is_sent(mailbox, smtp_account, actor):
    assert send_test(connection=mailbox, actor=actor, to="dana@example.net")["ok"]
    assert "the connection works" in smtp_account.wait(1)[0].get_body(("plain",)).get_content()


def test_a_mailbox_on_a_private_address_is_never_dialled(mailbox, settings):
    settings.LEADWIRE_ALLOW_NETWORKS = []
    place = for_reading(account_of(mailbox))
    with pytest.raises(Failure) as caught:
        Inbox(place)
    assert in_words(caught.value).detail == "The server for reading is not a public one."


def test_a_server_that_announces_a_giant_answer_fills_nothing(mailbox, monkeypatch):
    monkeypatch.setattr("messaging.mailbox.inbox.LITERAL_MAX", 5)
    place = for_reading(account_of(mailbox))
    inbox = Inbox(place)
    with pytest.raises(inbox.AbortError, match="at once"):
        inbox._imap.read(6)
    inbox.hang_up()


def test_a_server_whose_answer_never_ends_holds_nobody(mailbox, monkeypatch):
    class Endless(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while True:
                    self.wfile.write(b"* OK wait\r\n" * 1_000)

    monkeypatch.setattr("messaging.mailbox.inbox.WHOLE_MAX", 1_000_000)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known = for_reading(account_of(mailbox))
        assert known
        place = replace(known, port=server.server_address[1])
        with pytest.raises(Failure) as caught:
            Inbox(place)
        server.shutdown()
    assert "does not end" in in_words(caught.value).detail


def test_another_mailbox_at_the_same_connection_is_read_from_now_on(mailbox, imap_server, actor):
    look(mailbox)
    imap_server.put(*numbered(1, 2))
    look(mailbox)
    MailFolder.objects.update(mailbox="old at imap.example.com", last_uid=0)
    assert look(mailbox) == 0
    assert MailFolder.objects.get().last_uid > 0


@pytest.mark.parametrize("server", ["smtp_host", "imap_host"])
def test_a_stored_password_goes_to_no_other_server(server, mailbox, mailbox_settings, dana_client, api, dana, actor):
    page = f"/settings/channels/{mailbox.pk}/edit/"
    form = {"name": "Sales", "own_address": ADDRESS, **mailbox_settings, "password": "", server: "evil.example.com"}
    assert "not sent to another server" in dana_client.post(page, form).text
    creator = Membership.objects.get(user=dana)
    key = make_token(creator=creator, actor=actor, name="Ops", scopes=["channels:write"])[1]
    path = f"messaging-channel-connections/{mailbox.pk}"
    answer = api.call("PATCH", path, key, {"settings": {server: "evil.example.com"}})
    assert answer.json()["errors"][0]["pointer"] == "#/settings/password"
    mailbox.smtp.refresh_from_db()
    assert getattr(mailbox.smtp, server) == "127.0.0.1"
    change(connection=mailbox, actor=actor, settings={server: "evil.example.com"})  # whoever calls it
    assert ChannelConnection.objects.get(pk=mailbox.pk).smtp.password is None


def test_limits_of_known_servers_are_kept():
    def limits(host: str, address: str):
        return PROVIDERS["smtp"].limits(Account(address, {"smtp_host": host}))

    assert limits("smtp.gmail.com", "ava@gmail.com").per_day == 500
    assert limits("smtp.gmail.com", "sales@northside.example").per_day == 2_000
    assert limits("smtp.example.com", "sales@northside.example").per_day is None
