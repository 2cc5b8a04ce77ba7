"""Each mail of ours has a return path of its own: what comes back there is about that mail, whatever it says."""

from __future__ import annotations

import pytest

from conversations.models import Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send
from leads.models import OptOut
from tests.support.due import claim_of

pytestmark = pytest.mark.django_db
# It names no mail of ours.
BOUNCE = b"""From: MAILER-DAEMON@mx.example.net
Message-ID: <bounce@mx.example.net>
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ava@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--b--
"""
UNKNOWN_WORDS = b"From: postur@example.is\nMessage-ID: <x@example.is>\nSubject: Eitthvad\n\nHofnad.\n"


@pytest.fixture
def sent(eastgate, lead_at, mail_server) -> Message:
    author = Author(Message.Author.STAFF, "Dana")
    message = send_reply(lead_id=lead_at(eastgate).pk, reply=Reply("We come at four."), author=author)
    _send(claim_of(message))
    message.refresh_from_db()
    return message


@pytest.fixture
def return_path(sent, mail_server, address_of, eastgate) -> str:
    path = mail_server.senders[-1]
    assert path == address_of(eastgate).address_with(f"b.{sent.public_id}")
    assert mail_server.mails[-1]["From"].addresses[0].addr_spec == address_of(eastgate).address
    return path


def test_what_comes_back_there_is_about_that_mail(sent, return_path, receive, address_of, eastgate):
    receive(address_of(eastgate), BOUNCE, to=return_path.upper(), envelope_from="")
    sent.refresh_from_db()
    assert (sent.status, sent.error_code) == ("failed", "channel.bounced")
    assert OptOut.objects.get().reason == "bounce"


def test_what_comes_back_in_unknown_words_is_shown_and_changes_nothing(
    sent, return_path, receive, address_of, eastgate
):
    receive(address_of(eastgate), UNKNOWN_WORDS, to=return_path, envelope_from="")
    shown = Message.objects.get(direction="inbound", content="Hofnad.")
    assert (shown.conversation_id, shown.is_automatic) == (sent.conversation_id, True)
    sent.refresh_from_db()
    assert sent.status == "sent"


def test_the_return_path_of_another_source_is_nobodys(sent, return_path, receive, address_of, westgate):
    foreign = address_of(westgate).address_with(f"b.{sent.public_id}")
    receive(address_of(westgate), BOUNCE, to=foreign, envelope_from="")
    sent.refresh_from_db()
    assert sent.status == "sent"
