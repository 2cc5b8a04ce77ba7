"""Old months are dropped beside readers and writers; nothing that is kept is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import UsedNonce
from core import retention
from core.ids import first_id, uuid7
from core.partitions import ensure_partitions, partitioned_tables
from outbox.database import plain_parameters
from outbox.models import Job
from webhooks.models import Event, FeedEntry

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def months(northside, eastgate):
    """An event and its place in the feed for each of six months."""
    made = []
    for month in range(6, 12):
        at = datetime(2026, month, 10, tzinfo=UTC)
        ensure_partitions(at)
        event = Event.objects.create(
            pk=uuid7(at), type="lead.created", organization_id=northside.pk, source_id=eastgate.pk
        )
        FeedEntry.objects.create(
            event_id=event.pk, organization_id=northside.pk, source_id=eastgate.pk, position=month - 5
        )
        made.append(event.pk)
    yield made
    with connection.cursor() as cursor:
        for table in partitioned_tables():
            cursor.execute("SELECT relname FROM pg_class WHERE relname ~ %s", [rf"^{table}_\d{{4}}_\d{{2}}$"])
            for (name,) in cursor.fetchall():
                if retention._end_of(name) < NOW - timedelta(days=45):
                    cursor.execute(f'DROP TABLE "{name}"')


def test_months_that_ended_before_what_is_kept_are_dropped_with_their_places_in_the_feed(months, settings):
    settings.EVENTS_KEPT_DAYS, settings.API_CALLS_KEPT_DAYS = 90, 30
    dropped = retention.drop_expired_partitions(NOW)
    assert {"webhooks_event_2026_06", "webhooks_event_2026_07"} <= set(dropped)
    assert "webhooks_event_2026_08" not in dropped  # its last day is within 90 days
    assert "api_apicall_2026_09" in dropped
    assert set(Event.objects.values_list("pk", flat=True)) == set(months[2:])
    assert set(FeedEntry.objects.values_list("event_id", flat=True)) == set(months[2:])
    assert retention.drop_expired_partitions(NOW) == []


def test_a_busy_month_is_left_for_the_next_time_and_keeps_nobody_waiting(months, settings):
    settings.EVENTS_KEPT_DAYS = 90
    with psycopg.connect(**plain_parameters(), autocommit=True) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE webhooks_event_2026_06 IN ACCESS SHARE MODE")
        dropped = retention.drop_expired_partitions(NOW)
        assert "webhooks_event_2026_06" not in dropped
        other.execute("ROLLBACK")
    retention.drop_expired_partitions(NOW)
    assert set(Event.objects.values_list("pk", flat=True)) == set(months[2:])


def test_what_a_killed_process_left_detached_is_dropped_too(months, settings):
    settings.EVENTS_KEPT_DAYS = 90
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhooks_event DETACH PARTITION webhooks_event_2026_06")
    assert "webhooks_event_2026_06" in retention.drop_expired_partitions(NOW)


def test_what_has_served_is_forgotten_a_few_rows_at_a_time(northside, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    past, ahead = timezone.now() - timedelta(days=8), timezone.now() + timedelta(days=1)
    for number in range(10):
        UsedNonce.objects.create(digest=bytes([number]), expires_at=past if number < 7 else ahead)
    Job.objects.create(organization_id=northside.pk, category="x", subject_id=uuid7(), finished_at=past)
    Job.objects.create(organization_id=northside.pk, category="x", subject_id=uuid7())
    retention.delete_expired_rows()
    assert (UsedNonce.objects.count(), Job.objects.count()) == (3, 1)


def test_too_short_a_time_is_refused_at_the_start():
    from django.core.exceptions import ImproperlyConfigured

    from config.env import at_least

    with pytest.raises(ImproperlyConfigured, match="EVENTS_KEPT_DAYS is at least 10"):
        at_least(5, 10, "EVENTS_KEPT_DAYS")


def test_the_smallest_id_of_a_moment_is_smaller_than_all_its_ids():
    at = timezone.now()
    assert all(first_id(at) <= uuid7(at) for _ in range(100))
