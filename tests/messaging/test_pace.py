"""A connection keeps to its pace, over all workers, and delays nobody else."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now, TruncHour
from django.utils import timezone

from messaging.base import Limits
from messaging.limits import set_limits
from messaging.models import Dispatch, Pace, PaceHour
from messaging.stream import Dispatches, claim_dispatches
from outbox.claims import Turn
from outbox.database import connect, hang_up
from outbox.models import LaneTimer
from outbox.streams import StreamThread
from tests.support.providers import TWILIO

pytestmark = pytest.mark.django_db(transaction=True)


def wait_in_line(connection, count: int) -> None:
    Dispatch.objects.bulk_create(
        Dispatch(lane_id=connection.lane_id, organization_id=connection.organization_id, source_id=connection.source_id)
        for _ in range(count)
    )


def claimed(slots: int = 100) -> list:
    """One look of a worker, at lanes that are due."""
    LaneTimer.objects.update(check_at=Now())

    async def run():
        database = await connect()
        try:
            return await claim_dispatches(database, Turn(slots))
        finally:
            await hang_up(database)

    rows = asyncio.run(run())
    Dispatch.objects.filter(pk__in=[row.id for row in rows]).delete()
    return rows


def test_a_limit_of_an_hour_and_what_it_leaves_for_the_next(sms):
    Pace.objects.filter(lane=sms.lane_id).update(per_second=None, per_hour=3)
    sms.lane.max_in_flight = 100
    sms.lane.save()
    wait_in_line(sms, 5)
    assert len(claimed()) == 3
    assert claimed() == []
    opens_at = Pace.objects.get().opens_at()
    assert opens_at
    assert timedelta(0) < opens_at - timezone.now() <= timedelta(hours=1)
    assert opens_at.minute == 0
    assert LaneTimer.objects.get(lane=sms.lane_id).check_at == opens_at, "it is not looked at before"
    PaceHour.objects.update(hour=F("hour") - timedelta(hours=1))
    assert len(claimed()) == 2


def test_a_day_is_this_hour_and_the_23_before_it_and_the_rest_goes_in_order(sms):
    Pace.objects.filter(lane=sms.lane_id).update(per_second=None, per_day=200)
    sms.lane.max_in_flight = 1_000
    sms.lane.save()
    hour = TruncHour(Now())
    PaceHour.objects.create(lane_id=sms.lane_id, hour=hour - timedelta(hours=24), count=500)  # yesterday's: gone
    PaceHour.objects.create(lane_id=sms.lane_id, hour=hour - timedelta(hours=2), count=150)
    wait_in_line(sms, 80)
    order = list(Dispatch.objects.order_by("next_attempt_at", "id").values_list("pk", flat=True))
    first = [row.id for row in claimed(1_000)]
    assert sorted(first, key=order.index) == order[:50]
    opens_at = Pace.objects.get().opens_at()
    assert opens_at
    assert timedelta(hours=21) < opens_at - timezone.now() <= timedelta(hours=22)
    PaceHour.objects.update(hour=F("hour") - timedelta(hours=22))
    assert sorted((row.id for row in claimed(1_000)), key=order.index) == order[50:]


def test_a_second_is_kept_over_three_workers_and_nobody_else_waits(sms, address_of, plumbing, twilio_server):
    """10 in any second at most, and mail beside it goes at once. How near to 10 it comes: bench/channels.py."""
    sms.lane.max_in_flight = 100
    sms.lane.save()
    Pace.objects.filter(lane=sms.lane_id).update(per_second=10)
    mail = address_of(plumbing)
    wait_in_line(sms, 60)
    wait_in_line(mail, 60)
    sent: dict[object, list[float]] = {sms.lane_id: [], mail.lane_id: []}

    def send(row) -> None:
        sent[row.lane_id].append(time.monotonic())
        Dispatch.objects.filter(pk=row.id).delete()
        LaneTimer.objects.filter(lane=row.lane_id).update(check_at=Now(), idle_rounds=0)

    began = time.monotonic()
    workers = [StreamThread(lambda: Dispatches(8, send)) for _ in range(3)]
    for worker in workers:
        worker.start()
    while Dispatch.objects.exists() and time.monotonic() - began < 30:
        time.sleep(0.05)
    for worker in workers:
        worker.stop()
    times = sorted(sent[sms.lane_id])
    assert len(times) == 60
    assert max(sum(first <= moment < first + 1 for moment in times) for first in times) <= 10
    assert max(sent[mail.lane_id]) - began < 3


def test_the_providers_limit_is_the_most(sms, dana_client, twilio_server):
    assert Pace.objects.get().per_second == 1  # an ordinary number
    edit = f"/settings/channels/{sms.pk}/edit/"
    values = {"name": "Main line", "own_address": sms.own_address, "account_sid": TWILIO["account_sid"]}
    page = dana_client.post(edit, {**values, "per_second": "5"}).text
    assert "The provider takes at most 1 a second from this account." in page
    assert "above 0" in dana_client.post(edit, {**values, "per_day": "-1"}).text
    answer = dana_client.post(edit, {**values, "per_second": "0.5", "per_day": "200"}, follow=True).text
    assert "at most 0.5 a second" in answer
    assert "at most 200 a day" in answer
    set_limits(sms, Limits())
    assert (Pace.objects.get().per_second, Pace.objects.get().per_day) == (1, None)
