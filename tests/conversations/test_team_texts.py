"""`notifications: sms`: the team hears of a lead on its phones."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import User
from conversations.models import TeamText
from outbox.models import Job
from tests.support.due import run_jobs
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
PHONE = "+14155550122"


@pytest.fixture
def chosen(dana) -> User:
    dana.phone, dana.texts_at = PHONE, timezone.now()
    dana.save()
    return dana


def test_who_chose_it_gets_one_text_and_nobody_else(api, token, sms, twilio_server, chosen, northside, plumbing):
    ann = person("ann", northside, "agent")
    User.objects.filter(pk=ann.pk).update(phone="+14155550133")  # a number, and not chosen
    before = len(twilio_server.taken)
    assert api.create_lead(token, source_id=plumbing.public_id, notifications="sms").status_code == 201
    run_jobs()
    Job.objects.update(next_attempt_at="2020-01-01T00:00Z", status="scheduled", finished_at=None)  # all once more
    run_jobs()
    sent = twilio_server.taken[before:]
    assert [message["To"] for message in sent] == [PHONE]
    assert sent[0]["Body"].startswith("New lead at Northside Plumbing: Ava http")
    assert TeamText.objects.get().sent_at


def test_without_a_number_that_works_it_is_refused_and_nothing_is_written(api, token, plumbing, chosen):
    answer = api.create_lead(token, source_id=plumbing.public_id, notifications=["sms"])
    assert (answer.status_code, answer.json()["code"]) == (422, "notification.unavailable")
    assert not Job.objects.filter(category="text-team").exists()


def test_a_location_uses_the_number_of_its_business(api, token, sms, eastgate, twilio_server, chosen):
    assert api.create_lead(token, source_id=eastgate.public_id, notifications="sms").status_code == 201
    run_jobs()
    assert TeamText.objects.get().connection_id == sms.pk


@pytest.mark.parametrize(("how", "times"), [("cut", 1), (21614, 0)])
def test_what_is_refused_or_unknown_is_not_sent_again(api, token, sms, plumbing, twilio_server, chosen, how, times):
    before = len(twilio_server.taken)
    twilio_server.next(how)
    api.create_lead(token, source_id=plumbing.public_id, notifications="sms")
    for _ in range(3):
        run_jobs()
    assert len(twilio_server.taken) == before + times
    assert TeamText.objects.get().error


def test_what_may_pass_is_tried_again(api, token, sms, plumbing, twilio_server, chosen):
    twilio_server.next("busy")
    api.create_lead(token, source_id=plumbing.public_id, notifications="sms")
    run_jobs()
    assert TeamText.objects.get().sent_at is None
    Job.objects.filter(category="send-text").update(next_attempt_at="2020-01-01T00:00Z")
    run_jobs()
    assert TeamText.objects.get().sent_at


def test_a_person_gives_their_number_and_chooses(dana, dana_client):
    page = dana_client.post("/settings/account/texts/", {"phone": "call me", "texts": "on"}, follow=True).text
    assert "not a phone number" in page
    dana_client.post("/settings/account/texts/", {"phone": "+1 415 555 0122", "texts": "on"})
    dana.refresh_from_db()
    assert (dana.phone, bool(dana.texts_at)) == (PHONE, True)
    assert "+14155550122" in dana_client.get("/settings/account/").text
    assert (
        "Give a number" in dana_client.post("/settings/account/texts/", {"phone": "", "texts": "on"}, follow=True).text
    )
    dana_client.post("/settings/account/texts/", {"phone": ""})
    dana.refresh_from_db()
    assert (dana.phone, dana.texts_at) == ("", None)
    assert log_in(dana).get("/settings/account/texts/").status_code == 405
