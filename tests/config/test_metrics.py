"""What an operator's monitoring reads, and when the installation says that it is not ready."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Source
from messaging.email.incoming import keep
from outbox.models import Counter, Job, Lane
from tests.support.waiting import wait_for
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scrape(client, settings):
    settings.METRICS_TOKEN = "a-long-token"

    def read() -> dict[str, float]:
        answer = client.get("/metrics", headers={"Authorization": "Bearer a-long-token"})
        assert answer.status_code == 200
        lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    return read


@pytest.fixture
def late(webhook_at, eastgate, lead_at):
    """A delivery that has been due for five minutes."""
    webhook_at(eastgate, "http://127.0.0.1:9/hook")
    lead_at(eastgate)
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=5))
    return Lane.objects.filter(rest_webhook__source=eastgate)


def test_without_its_token_there_is_no_such_page(client, settings):
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "a-long-token"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer a-long-tokeé"}).status_code == 404


def test_the_oldest_due_age_has_no_exclusions(scrape, late):
    late.update(held_at=timezone.now())
    seen = scrape()
    assert 300 <= seen['leadwire_outbox_oldest_due_seconds{queue="deliveries"}'] < 320
    assert seen['leadwire_outbox_stalled_seconds{queue="deliveries"}'] == 0
    assert seen['leadwire_outbox_open{queue="deliveries"}'] == 1
    assert seen['leadwire_outbox_open{queue="messages"}'] == 0


def test_attempts_are_counted_by_outcome(scrape, worker, receiver, webhook_at, eastgate, lead_at, monkeypatch):
    from webhooks.delivery import recorder

    monkeypatch.setattr(recorder, "TALLY_SECONDS", 0)
    webhook_at(eastgate, receiver.url)
    receiver.answers = [200, 410]
    lead_at(eastgate)
    receiver.wait(1)
    lead_at(eastgate, "bob@example.net")
    wait_for(lambda: Counter.objects.filter(name="attempts.failed").first())
    seen = scrape()
    assert seen['leadwire_attempts_total{outcome="delivered"}'] == 1
    assert seen['leadwire_attempts_total{outcome="failed"}'] == 1
    assert seen['leadwire_endpoints{state="stopped"}'] == 1


def test_ready_means_that_the_outbox_moves(client, late):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["stalled"]) == (503, ["deliveries"])
    late.update(failing_since=timezone.now())  # somebody else's server is not our stall
    assert client.get("/readyz").status_code == 200
    late.update(failing_since=None)
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=30))
    assert client.get("/readyz").status_code == 200


def test_a_backlog_of_one_organization_that_is_served_stalls_nobody(client, late, webhook_at, dental, lead_at):
    """Its receiver takes less than it is sent: that must not take the whole installation out of service."""
    lead_at(Source.objects.get(restwebhook__lane=late.get()), "second@example.net")
    taken = Delivery.objects.latest("id")
    lease = {"claim": uuid4(), "next_attempt_at": timezone.now() + timedelta(seconds=20)}
    Delivery.objects.filter(pk=taken.pk).update(**lease)
    assert client.get("/readyz").status_code == 200
    webhook_at(dental, "http://127.0.0.1:9/hook")
    lead_at(dental, "other@example.net")
    other = Delivery.objects.filter(lane__rest_webhook__source=dental)
    other.update(next_attempt_at=timezone.now() - timedelta(minutes=5))  # nobody serves that one
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("moving", [{"status": "processing", "next_attempt_at": timedelta(minutes=1)},
                                    {"status": "done", "next_attempt_at": None, "finished_at": timedelta(seconds=-5)}])  # fmt: skip
def test_a_flood_of_mails_that_are_read_one_after_the_other_stalls_nobody(client, northside, moving):
    jobs = [Job(organization_id=northside.pk, category="read-mail", subject_id=uuid4()) for _ in range(3)]
    Job.objects.bulk_create(jobs)
    now = timezone.now()
    Job.objects.update(next_attempt_at=now - timedelta(minutes=5))
    assert client.get("/readyz").status_code == 503
    times = {name: now + value if isinstance(value, timedelta) else value for name, value in moving.items()}
    Job.objects.filter(pk=jobs[0].pk).update(**times)
    assert client.get("/readyz").status_code == 200


def test_ready_means_that_jobs_are_done(client, scrape, eastgate, address_of):
    """The worker that reads mail is stopped: nobody answers leads, and nothing else would say so."""
    keep(connection=address_of(eastgate), envelope_from="", envelope_to="x", raw=b"Subject: Tap\n\nIt leaks.")
    assert client.get("/readyz").status_code == 200
    Job.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=75))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["stalled"]) == (503, ["mail"])
    assert scrape()['leadwire_outbox_stalled_seconds{queue="mail"}'] >= 75
