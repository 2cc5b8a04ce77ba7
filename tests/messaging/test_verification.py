"""A mail that only pretends to be the lead's is shown, and obeyed in nothing."""

from __future__ import annotations

import pytest

from conversations.models import Conversation, Message
from leads.models import OptOut
from messaging.email.verification import is_verified
from tests.support.mails import mail, reply_address

pytestmark = pytest.mark.django_db
AVA, FAIL, PASS = "ava@example.net", ("mx.northside.example", "fail"), ("mx.northside.example", "pass")


@pytest.mark.parametrize(
    ("envelope_from", "results", "has_token", "expected"),
    [
        (AVA, [], False, True),
        ("bounces@mail.example.net", [], False, True),
        ("bounces@evil.example", [], False, False),
        ("x@notexample.net", [], False, False),
        ("", [], False, False),
        ("bounces@evil.example", [], True, True),
        ("bounces@evil.example", [PASS], False, True),
        (AVA, [FAIL], True, False),
        (AVA, [("mx.evil.example", "fail")], False, True),
        ("bounces@evil.example", [("mx.evil.example", "pass")], False, False),
    ],
)
def test_who_may_speak_for_an_address(envelope_from, results, has_token, expected):
    trusted = "MX.northside.example"
    assert expected is is_verified(
        sender=AVA, envelope_from=envelope_from, results=results, trusted=trusted, has_token=has_token
    )


def test_without_a_name_of_ours_no_result_is_believed():
    values = {"sender": AVA, "envelope_from": "x@evil.example", "has_token": False}
    assert not is_verified(results=[PASS, ("", "pass")], trusted="", **values)


def test_a_strangers_stop_and_start_are_shown_and_not_obeyed(
    receive, address_of, eastgate, lead_at, settings, dana_client
):
    settings.MAIL_AUTHSERV_ID = "mx.northside.example"
    lead_at(eastgate, AVA)
    forged = mail("STOP", Authentication_Results="mx.northside.example; dmarc=fail (p=none) header.from=example.net")
    receive(address_of(eastgate), forged)
    assert not OptOut.objects.exists()
    said = Message.objects.get(content="STOP")
    assert said.is_unverified
    page = dana_client.get(f"/inbox/{said.conversation.public_id}/").content.decode()
    assert "Sender not verified" in page
    receive(address_of(eastgate), mail("STOP", Message_ID="<2@x>"))
    assert OptOut.objects.in_force().count() == 1
    receive(address_of(eastgate), mail("START", Message_ID="<3@x>"), envelope_from="x@evil.example")
    assert OptOut.objects.in_force().count() == 1


def test_whoever_has_a_mail_of_ours_may_stop_it(receive, address_of, eastgate, lead_at):
    """A forwarder changes the envelope, and the token in the address says that this mail answers ours."""
    lead_at(eastgate, AVA)
    to = reply_address(Conversation.objects.get())
    receive(address_of(eastgate), mail("STOP"), to=to, envelope_from="srs0=x@forwarder.example")
    assert OptOut.objects.in_force().count() == 1
