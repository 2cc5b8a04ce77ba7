"""Mail servers that are slow, hang up and refuse, at each step of the dialogue: the lead reads each mail once.

The time-outs are RFC 5321's (4.5.3.2), a hundredth as long here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conversations.models import Message
from conversations.services.sending import MAY_ARRIVE_TWICE, send_claimed
from core import smtp as patient_smtp
from messaging.email import transports
from messaging.models import Dispatch
from messaging.stream import claim_dispatches
from outbox.claims import Turn
from tests.support.due import make_due
from tests.support.odd_smtp import OddServer
from tests.support.steps import outbox

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = ("greeting", "ehlo", "mail", "rcpt", "data", "dot")
SCALE = 100
TIMEOUTS = {
    "greeting": "GREETING",
    "ehlo": "GREETING",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "DATA",
    "dot": "FINAL_DOT",
}


@pytest.fixture
def server(settings, monkeypatch) -> Iterator[OddServer]:
    for name in {*TIMEOUTS.values(), "BLOCK"}:
        whole = getattr(patient_smtp, f"{name}_SECONDS")
        monkeypatch.setattr(patient_smtp, f"{name}_SECONDS", whole / SCALE)
    with OddServer() as odd:
        settings.EMAIL_BACKEND = patient_smtp.DJANGOS
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", odd.server_address[1]
        transports._idle.clear()
        yield odd
        transports._idle.clear()
        odd.shutdown()


@pytest.fixture
def sent(server, api, key_of, eastgate, lead_at):
    """Send one reply until it is through; return its message."""

    def send(step: str = "", oddity: str = "", seconds: float = 0) -> Message:
        server.step, server.oddity, server.seconds = step, oddity, seconds
        api.reply(key_of(eastgate), lead_at(eastgate), "We come at four.\n.A line that begins with a dot.")
        for _ in range(4):
            for claimed in outbox(lambda c: claim_dispatches(c, Turn(5))):
                send_claimed(claimed)
            make_due()
        assert not Dispatch.objects.exists()
        return Message.objects.get(direction="outbound")

    return send


def test_a_mail_arrives_as_it_was_written(sent, server):
    assert sent().status == "sent"
    [mail] = server.took
    assert b"\r\n..A line that begins with a dot." in mail


@pytest.mark.parametrize("step", STEPS)
def test_a_server_may_take_as_long_as_the_rfc_lets_it(sent, server, step):
    patience = getattr(patient_smtp, f"{TIMEOUTS[step]}_SECONDS")
    message = sent(step, "slow", seconds=patience * 0.8)
    assert (message.status, message.error_detail) == ("sent", "")
    assert len(server.took) == 1


@pytest.mark.parametrize("oddity", ["drop", "421 4.3.2 closing", "451 4.3.0 later"])
@pytest.mark.parametrize("step", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_what_was_not_taken_is_sent_again(sent, server, step, oddity):
    message = sent(step, oddity)
    assert (message.status, message.error_detail) == ("sent", "")
    assert len(server.took) == 1


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
def test_what_is_refused_for_good_is_not_sent_again(sent, server, step):
    message = sent(step, "550 5.7.1 we do not want this")
    assert (message.status, message.error_code) == ("failed", "channel.refused")
    assert "5.7.1 we do not want this" in message.error_detail
    assert server.took == []


def test_what_is_refused_for_now_after_its_last_dot_is_sent_again(sent, server):
    assert sent("dot", "451 4.3.0 later").status == "sent"
    assert len(server.took) == 1


def test_a_line_that_breaks_in_the_middle_of_a_mail_costs_an_attempt(sent, server, monkeypatch):
    monkeypatch.setattr(patient_smtp, "BLOCK_BYTES", 100)
    message = sent("block", "drop")
    assert message.status == "sent"
    assert len(server.took) == 1


@pytest.mark.parametrize("seconds", [0, 8])
def test_after_the_last_dot_nobody_knows_and_the_message_says_so(sent, server, seconds):
    """The line broke, or no answer came in ten minutes: only then may a lead read a mail twice."""
    message = sent("dot", "slow" if seconds else "drop", seconds)
    assert (message.status, message.error_detail) == ("sent", MAY_ARRIVE_TWICE)
    assert len(server.took) == 2
    first, second = (mail.split(b"Message-ID: ")[1].split(b"\r\n")[0] for mail in server.took)
    assert first == second
