"""What people see of one delivery and of an endpoint, and the box that verifies a signature."""

from __future__ import annotations

import html
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import AuditEntry
from core.ids import encode
from integrations import services as cards
from outbox.models import Lane, LaneTimer
from tests.support.due import make_due
from tests.support.people import log_in, person
from tests.support.waiting import wait_for
from webhooks.models import Attempt, Delivery, RestWebhook
from webhooks.signing import sign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivered(worker, receiver, webhook_at, eastgate, lead_at):
    """A delivery that failed once and then arrived; and the secrets it was signed with."""
    secrets = webhook_at(eastgate, receiver.url)
    receiver.answers = [500]
    lead_at(eastgate)
    wait_for(lambda: Delivery.objects.filter(claim=None, attempts=1).first())
    make_due()
    receiver.wait(2, seconds=15)
    wait_for(lambda: not Delivery.objects.exists())
    return secrets


def path() -> str:
    return f"/deliveries/{encode('dlv', Attempt.objects.latest('id').delivery_id)}/"


def words(answer) -> str:
    return html.unescape(answer.content.decode())


def test_each_attempt_says_where_its_time_went_and_whom_it_reached(delivered, dana_client, receiver):
    first = Attempt.objects.earliest("id")
    assert first.connect_ms is not None
    assert first.first_byte_ms is not None
    page = words(dana_client.get(path()))
    assert "connect" in page
    assert Attempt.objects.latest("id").dialled == receiver.url.split("/")[2]
    assert "first byte" in page
    assert receiver.url.split("/")[2] in page
    assert "attempt 2 of 10" in page  # why the next one was when it was
    assert "curl http://127.0.0.1" in page


def test_secrets_are_masked_in_the_headers_as_sent(delivered, dana_client):
    page = words(dana_client.get(path()))
    assert "X-Secret-Key: ••••••" in page
    assert not [secret for secret in delivered.values() if secret in page]


def verify(client, **changes):
    sent = Attempt.objects.earliest("id")
    headers = sent.request_headers
    fields = {
        "id": headers["webhook-id"],
        "timestamp": headers["webhook-timestamp"],
        "signature": headers["webhook-signature"],
        "body": sent.request_body,
    }
    return words(client.post(f"{path()}verify/", fields | changes, headers={"HX-Request": "true"}))


def test_a_signature_of_ours_is_valid(delivered, dana_client):
    assert "Signed with the current signing secret." in verify(dana_client)


def test_a_changed_body_is_not_valid(delivered, dana_client):
    assert "match any of this webhook" in verify(dana_client, body='{"other": 1}')


@pytest.mark.parametrize("changes", [{"timestamp": "soon"}, {"timestamp": "١٢"}, {"signature": "v1,é"}, {"id": "x"}])
def test_rubbish_is_not_valid_and_no_crash(delivered, dana_client, changes):
    assert "Not valid." in verify(dana_client, **changes)


def test_in_an_overlap_the_old_secret_is_named(delivered, dana_client, eastgate, actor):
    cards.regenerate(card=eastgate.restwebhook, actor=actor, overlap=timedelta(hours=1))
    assert "Signed with the old signing secret" in verify(dana_client)


def test_an_old_timestamp_is_pointed_out(delivered, dana_client):
    key = delivered["Signing secret"]
    signature = sign(key, webhook_id="evt_1", timestamp=1_600_000_000, body=b"{}")
    page = verify(dana_client, id="evt_1", timestamp="1600000000", signature=signature, body="{}")
    assert "more than five minutes away" in page


def test_only_who_may_configure_the_owner_verifies(delivered, northside):
    agent = log_in(person("ann", northside, "agent"))
    assert agent.post(f"{path()}verify/", {}).status_code == 403


def test_the_health_of_an_endpoint(delivered, dana_client, eastgate):
    page = words(dana_client.get(f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/health/"))
    assert "50 %</b> of 2 attempts" in page
    assert "slowest 5 % above" in page


def test_the_health_of_an_endpoint_without_traffic(dana_client, eastgate):
    page = words(dana_client.get(f"/sources/{eastgate.public_id}/messaging/integrations/rest-webhook/health/"))
    assert "no attempts yet" in page
    assert RestWebhook.objects.filter(source=eastgate).exists()


# --- Retry now ---


@pytest.fixture
def open_delivery(webhook_at, eastgate, lead_at) -> Delivery:
    """The first of two deliveries of one conversation; it failed, and its next attempt is in an hour."""
    webhook_at(eastgate, "https://crm.example.com/hook")
    lead = lead_at(eastgate)
    lead_at(eastgate, lead.email, "And the boiler too.")
    first = Delivery.objects.earliest("sequence")
    Delivery.objects.filter(pk=first.pk).update(attempts=1, next_attempt_at=timezone.now() + timedelta(hours=1))
    return first


def retry(client, delivery: Delivery) -> str:
    return words(client.post(f"/deliveries/{encode('dlv', delivery.pk)}/retry/", follow=True))


def is_due(delivery: Delivery) -> bool:
    return Delivery.objects.filter(pk=delivery.pk, next_attempt_at__lte=Now()).exists()


def test_retry_now_makes_a_delivery_due_and_its_lane_awake(dana_client, open_delivery):
    LaneTimer.objects.update(check_at=timezone.now() + timedelta(minutes=1))
    retry(dana_client, open_delivery)
    assert is_due(open_delivery)
    assert LaneTimer.objects.get(lane=open_delivery.lane_id).check_at <= timezone.now()
    assert AuditEntry.objects.get(action="delivery.retry").target == open_delivery.event_type


def test_retry_now_is_the_probe_of_an_endpoint_that_is_given_a_rest(dana_client, open_delivery):
    Lane.objects.filter(pk=open_delivery.lane_id).update(opens=3, open_until=timezone.now() + timedelta(minutes=5))
    retry(dana_client, open_delivery)
    assert Lane.objects.filter(pk=open_delivery.lane_id, open_until__lte=Now()).exists()
    assert LaneTimer.objects.get(lane=open_delivery.lane_id).check_at <= timezone.now()


def test_retry_now_refuses_what_cannot_be_hurried_and_writes_nothing(dana_client, open_delivery):
    behind = Delivery.objects.latest("sequence")
    assert "An earlier event of this conversation has to be sent first" in retry(dana_client, behind)
    Delivery.objects.filter(pk=open_delivery.pk).update(claim=uuid4())
    assert "being sent right now" in retry(dana_client, open_delivery)
    Delivery.objects.filter(pk=open_delivery.pk).update(claim=None)
    Lane.objects.filter(pk=open_delivery.lane_id).update(held_at=timezone.now())
    assert "This webhook is off" in retry(dana_client, open_delivery)
    assert not is_due(open_delivery)
    assert not AuditEntry.objects.filter(action="delivery.retry").exists()


def test_retry_now_of_an_ended_delivery_says_what_to_do(dana_client, delivered):
    page = words(dana_client.post(f"{path()}retry/", follow=True))
    assert "This delivery has ended. Use Send again." in page
