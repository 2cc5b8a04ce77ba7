"""Lists of leads stay fast: each filter has an index made for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from api.services import make_token
from conversations.api.leads import filtered
from leads.models import Lead

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["leads:write", "conversations:write"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="CRM", scopes=scopes)[1]


def test_each_filter_of_the_list_has_an_index(plumbing):
    many = [
        Lead(
            organization_id=plumbing.organization_id, source=plumbing, first_name=f"Name{n}", email=f"n{n}@example.net",
            phone_e164=f"+1415{n:07}", unique_id=f"crm-{n}", tags=["rare"] if n == 8 else ["web"][: n % 2],
        )
        for n in range(5_000)
    ]  # fmt: skip
    Lead.objects.bulk_create(many)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_lead")
    leads = Lead.objects.filter(organization=plumbing.organization_id).real()
    for query, index, count in (
        ({"email": "N5@example.net"}, "lead_by_email", 1),
        ({"phone": "+1 415 000 0005"}, "lead_by_phone_e164", 1),
        ({"unique_id": "crm-5"}, "lead_by_unique_id", 1),
        ({"status": "Lost"}, "lead_newest_of_status", 0),
        ({"tag": "rare"}, "lead_by_tag", 1),
        ({"is_new": False}, "lead_newest_returned", 0),
        ({"updated_after": timezone.now()}, "lead_by_update", 0),
    ):
        rows = filtered(leads, {"is_new": None, **query}).newest_first()[:101]
        assert index in rows.explain(), query
        assert len(rows) == count, query
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # 5,000 rows are soon read
    found = Lead.objects.containing("name2718")
    assert "lead_words" in found.explain()
    assert [lead.first_name for lead in found] == ["Name2718"]


def test_a_list_of_what_came_since_reads_what_came_since(api, key, plumbing, lead_at):
    lead = lead_at(plumbing)
    since = lead.created_at - timedelta(seconds=1)
    for at, count in ((since, 1), (lead.created_at, 0), (datetime(1, 1, 1, tzinfo=UTC), 1)):
        answer = api.get(f"leads?created_after={quote(at.isoformat())}", key)
        assert len(answer.json()["data"]["leads"]) == count, at
    assert "id >=" in Lead.objects.created_since(since).explain()
