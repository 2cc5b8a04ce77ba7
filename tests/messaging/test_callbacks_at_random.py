"""Callbacks of each provider in any order: twice, late, wrong, cut off, about nothing. Held against a small model."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from conversations.models import Message
from conversations.services.provider_calls import read_call
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send as send_claimed
from messaging.models import ChannelConnection, Dispatch, InboundCall
from tests.support.due import claim_of, run_jobs
from tests.support.mails import mail

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")
STATUSES = st.sampled_from(["sent", "delivered", "read", "failed"])
RANK = {"sending": 0, "sent": 1, "delivered": 2, "read": 3}


class Callbacks(RuleBasedStateMachine):
    """One lead writes, the team answers, and the provider says what it likes. A subclass knows how it says it."""

    connection: ChannelConnection
    server: Any
    sender = "+14155550100"
    said_as: dict[str, str] = {}  # statuses that the provider does not tell from others

    def __init__(self) -> None:
        super().__init__()
        self.beginning = transaction.savepoint()
        self.said: set[str] = set()  # ids of messages that the lead's phone sent
        self.sent: list[tuple[Message, dict[str, Any]]] = []
        self.state: dict[object, str] = {}  # what each of our messages should be
        self.taken_before = len(self.server.taken)
        self.write("first")

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.beginning)

    def write(self, text: str) -> None:
        raise NotImplementedError

    def say_status(self, sent: dict[str, Any], status: str) -> Any:
        raise NotImplementedError

    def say_nonsense(self, body: bytes) -> Any:
        raise NotImplementedError

    def read_all(self) -> None:
        for call in InboundCall.objects.filter(outcome="waiting").order_by("?"):
            read_call(call.pk)

    @rule(text=st.sampled_from(["a", "b", "STOPPED by", "ünï 🔧"]))
    def lead_writes(self, text: str) -> None:
        self.write(text)

    @rule(is_recorded=st.booleans())
    def team_answers(self, is_recorded: bool) -> None:
        """`is_recorded` False: the worker dies between the provider's answer and its record."""
        lead_id = Message.objects.filter(connection=self.connection).latest("id").lead_id
        message = send_reply(lead_id=lead_id, reply=Reply("We come."), author=STAFF)
        if is_recorded:
            send_claimed(claim_of(message))
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("conversations.services.sending._record_sent", lambda *_: None)
                send_claimed(claim_of(message))
            Dispatch.objects.update(next_attempt_at="2100-01-01T00:00Z")
        self.sent.append((message, self.server.taken[-1]))
        self.state[message.pk] = "sent" if is_recorded else "sending"

    @precondition(lambda self: self.sent)
    @rule(status=STATUSES, which=st.integers(0, 5), times=st.integers(1, 2))
    def provider_reports(self, status: str, which: int, times: int) -> None:
        message, sent = self.sent[which % len(self.sent)]
        status = self.said_as.get(status, status)
        for _ in range(times):
            assert self.say_status(sent, status).status_code == 200
        state = self.state[message.pk]
        if status == "failed":
            self.state[message.pk] = "failed"
        elif state != "failed" and RANK[status] > RANK[state]:
            self.state[message.pk] = status
        self.read_all()

    @rule(status=STATUSES)
    def provider_reports_something_unknown(self, status: str) -> None:
        status = self.said_as.get(status, status)
        stranger = {"sid": "SM" + "8" * 32, "id": "8", "metadata": {}, "wamid": "wamid.8", "To": self.sender, "to": "14155550100",
                    "biz_opaque_callback_data": "msg_nothing", "StatusCallback": self.connection.callback_url}  # fmt: skip
        assert self.say_status(stranger, status).status_code == 200
        self.read_all()

    @rule(body=st.one_of(st.binary(max_size=60), st.sampled_from([b"", b"{", b"[]", b"a=b&c", b'{"entry": [{}]}'])))
    def provider_says_nonsense(self, body: bytes) -> None:
        assert self.say_nonsense(body).status_code in (200, 403)
        self.read_all()

    @invariant()
    def nothing_is_double_and_nothing_goes_back(self) -> None:
        inbound = Message.objects.filter(connection=self.connection, direction="inbound")
        assert inbound.count() == len(self.said)
        for message, _ in self.sent:
            message.refresh_from_db()
            assert message.status == self.state[message.pk]
        assert len(self.server.taken) - self.taken_before == len(self.sent), "nothing went out twice"
        assert not InboundCall.objects.filter(outcome="waiting").exists()


def run(machine: type[Callbacks], connection: ChannelConnection, server: Any, examples: int = 25) -> None:
    machine.connection, machine.server = connection, server
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )


def test_twilio(sms, twilio_server):
    class Twilio(Callbacks):
        def write(self, text: str) -> None:
            sid = f"SM{text}".ljust(34, "0")[:34]  # the same text is the same message, again
            assert twilio_server.bring(sms, text, MessageSid=sid).status_code == 200
            self.said.add(sid)
            self.read_all()

        def say_status(self, sent: dict[str, Any], status: str) -> Any:
            return twilio_server.report(sent, "undelivered" if status == "failed" else status)

        def say_nonsense(self, body: bytes) -> Any:
            headers = {"X-Twilio-Signature": "AAAA"}
            path = f"/channels/{sms.callback_token}/"
            return twilio_server.client.post(path, body, content_type="text/plain", headers=headers)

    run(Twilio, sms, twilio_server)


def test_meta(whatsapp, meta_server):
    class Meta(Callbacks):
        def write(self, text: str) -> None:
            assert meta_server.bring(whatsapp, text, wamid=f"wamid.{text}").status_code == 200
            self.said.add(text)
            self.read_all()

        def say_status(self, sent: dict[str, Any], status: str) -> Any:
            errors = {"errors": [{"code": 131026, "title": "Undeliverable"}]} if status == "failed" else {}
            return meta_server.report(whatsapp, sent, status, **errors)

        def say_nonsense(self, body: bytes) -> Any:
            return meta_server.call_us(whatsapp, body)

    run(Meta, whatsapp, meta_server)


def test_esp(esp_calls):
    calls = esp_calls

    class Esp(Callbacks):
        said_as = {"sent": "delivered", "read": "delivered"}

        def write(self, text: str) -> None:
            raw = mail(text, Message_ID=f"<{text.encode().hex()}@example.net>")
            assert calls.bring(raw).status_code == 200
            self.said.add(text)
            self.read_all()

        def read_all(self) -> None:
            super().read_all()
            run_jobs()

        def say_status(self, sent: dict[str, Any], status: str) -> Any:
            return calls.tell("soft" if status == "failed" else status, sent)

        def say_nonsense(self, body: bytes) -> Any:
            return calls.pretend(body)

    run(Esp, calls.connection, calls.server, examples=10)
