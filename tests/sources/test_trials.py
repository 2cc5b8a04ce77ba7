"""Send a test lead: each hop with its time, or where it stopped and what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry
from conversations.models import Conversation, Message
from leads.models import Lead
from outbox.models import Lane
from sources.round_trip import follow
from tests.support.people import log_in, person
from tests.support.waiting import wait_for
from webhooks.models import Attempt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def try_it(dana_client, eastgate):
    def start() -> Conversation:
        answer = dana_client.post(f"/sources/{eastgate.public_id}/test-lead/")
        assert answer["Location"].startswith("/sources/test-leads/conv_")
        return Conversation.objects.select_related("lead", "source").get(lead__is_test=True)

    return start


def marks(conversation) -> list[str]:
    return [hop.mark for hop in follow(conversation).hops]


def stopped_with(conversation) -> str:
    hops = follow(conversation).hops
    assert [hop.mark for hop in hops].count("bad") == 1
    return next(hop.detail for hop in hops if hop.mark == "bad")


def test_it_goes_all_the_way_round(
    worker, receiver, mail_server, webhook_at, eastgate, key_of, api, try_it, dana_client
):
    webhook_at(eastgate, receiver.url)
    key = key_of(eastgate)
    trial = try_it()
    receiver.wait(1)
    lead = receiver.bodies()[0]["data"]["lead"]
    assert (lead["is_test"], lead["email"]) == (True, "dana@example.com")
    wait_for(lambda: marks(trial) == ["ok", "ok", "warn", "off"])
    assert api.reply(key, trial.lead, "Got it.").status_code == 201
    [mail] = mail_server.wait(1)
    assert mail["To"] == "dana@example.com"
    wait_for(lambda: follow(trial).is_done)
    times = [hop.after_ms or 0 for hop in follow(trial).hops[1:]]
    assert times == sorted(times)
    page = dana_client.get(f"/sources/test-leads/{trial.public_id}/").content.decode()
    assert "Everything works" in page
    assert 'hx-trigger="load' not in page  # it has come to rest


def test_it_is_in_no_list_no_count_and_no_report(try_it, eastgate, api, token, key_of, dana_client, northside):
    key = key_of(eastgate)
    trial = try_it()
    for caller in (key, token):
        assert api.get("leads", caller).json()["data"]["leads"] == []
    assert api.get(f"leads/{trial.lead.public_id}", key).json()["data"]["lead"]["is_test"] is True
    for path in ("/inbox/?state=all", "/leads/"):
        assert "Test Lead" not in dana_client.get(path).content.decode()
    assert 'class="count"' not in dana_client.get("/inbox/").content.decode()
    assert "0 leads in 7 days" in dana_client.get("/sources/").content.decode()
    assert AuditEntry.objects.filter(action="source.test-lead").count() == 1


def test_the_testers_address_may_be_a_real_leads_too(try_it, eastgate, lead_at):
    real = lead_at(eastgate, "dana@example.com")
    try_it()
    lead_at(eastgate, "dana@example.com", message="Again")
    assert Message.objects.filter(lead=real).count() == 2
    assert Lead.objects.count() == 2


def test_a_card_that_is_not_set_up_or_off_says_what_to_do(try_it, webhook_at, eastgate):
    trial = try_it()
    assert "not set up" in stopped_with(trial)
    webhook_at(eastgate, "http://127.0.0.1:9/hook", on=False)
    assert "Turn Enable on" in stopped_with(trial)


def test_a_delivery_that_ends_while_the_page_looks_is_not_called_unsent(
    request, receiver, webhook_at, eastgate, try_it
):
    """The page looked for an attempt, then for an open delivery: what ended in between was in neither."""
    webhook_at(eastgate, receiver.url)
    trial = try_it()
    looks: list[str] = []

    def deliver_after_the_first_look(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if not looks and ('"webhooks_attempt"' in sql or '"webhooks_delivery"' in sql):
            looks.append(sql)
            request.getfixturevalue("worker")
            wait_for(lambda: Attempt.objects.filter(outcome=Attempt.Outcome.DELIVERED).exists())
        return result

    with connection.execute_wrapper(deliver_after_the_first_look):
        assert marks(trial)[1] == "ok"
    assert looks


def test_a_webhook_that_fails_says_how(worker, receiver, webhook_at, eastgate, try_it):
    webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    trial = try_it()
    wait_for(lambda: "bad" in marks(trial))
    assert stopped_with(trial).startswith("500 from the receiver")
    assert follow(trial).hops[1].url.startswith("/deliveries/dlv_")


def test_a_stopped_webhook_says_so(webhook_at, eastgate, try_it):
    webhook_at(eastgate, "http://127.0.0.1:9/hook")
    Lane.objects.filter(rest_webhook__source=eastgate).update(stopped_at=timezone.now())
    assert "was stopped" in stopped_with(try_it())


def test_a_reply_that_was_refused_says_with_what(worker, receiver, webhook_at, eastgate, key_of, api, try_it):
    webhook_at(eastgate, receiver.url)
    key = key_of(eastgate)
    trial = try_it()
    wait_for(lambda: marks(trial)[1] == "ok")
    api.reply(key, trial.lead, "Hello", if_last_message_id="msg_" + "0" * 26)
    assert stopped_with(trial) == "It called and got 409 conversation.moved."


def test_after_two_minutes_it_says_what_your_system_has_to_do(worker, receiver, webhook_at, eastgate, try_it):
    webhook_at(eastgate, receiver.url)
    trial = try_it()
    wait_for(lambda: marks(trial)[1] == "ok")
    trial.created_at = timezone.now() - timedelta(minutes=3)
    assert f"POST to /v1/leads/{trial.lead.public_id}/conversations/reply" in stopped_with(trial)
    assert not follow(trial).is_running


def test_a_mail_that_is_refused_says_why(worker, receiver, mail_server, webhook_at, eastgate, key_of, api, try_it):
    webhook_at(eastgate, receiver.url)
    key = key_of(eastgate)
    trial = try_it()
    wait_for(lambda: marks(trial)[1] == "ok")
    mail_server.refusals = ["550 no such user"]
    api.reply(key, trial.lead, "Hello")
    wait_for(lambda: marks(trial)[-1] == "bad")
    assert "no such user" in stopped_with(trial)


def test_only_who_may_configure_sends_one_and_a_real_lead_has_no_such_page(northside, eastgate, lead_at, dana_client):
    agent = log_in(person("ann", northside, "agent"))
    assert agent.post(f"/sources/{eastgate.public_id}/test-lead/").status_code == 403
    assert (
        "Send a test lead" not in agent.get(f"/sources/{eastgate.public_id}/messaging/integrations/").content.decode()
    )
    lead_at(eastgate)
    assert dana_client.get(f"/sources/test-leads/{Conversation.objects.get().public_id}/").status_code == 404
    assert Lead.objects.real().count() == 1
