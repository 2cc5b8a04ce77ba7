"""The page and the API of a source's timing."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry, Membership
from api.services import make_token
from conversations.models import OpeningHours, UnansweredRule
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
WEEK = {f"day_{number}": "09:00-17:00" for number in range(5)}
RULE = {"is_on": "on", "after_minutes": "20", "tells_team": "on", "text": "Soon!"}


@pytest.fixture
def key(dana, actor) -> str:
    scopes = ["sources:write"]
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Desk", scopes=scopes)[1]


def url(source, part="") -> str:
    return f"/sources/{source.public_id}/messaging/timing/{part}"


def test_hours_and_the_alarm_are_saved_shown_and_taken_away(dana_client, plumbing, eastgate):
    assert "always open" in dana_client.get(url(plumbing)).text
    data = {**WEEK, "day_5": "10:00-12:00, 13:00-15:00", "country": "DE", "closed_on": "2026-12-24\n2026-12-31"}
    assert dana_client.post(url(plumbing, "hours/"), data).status_code == 302
    hours = OpeningHours.objects.get()
    assert hours.week[5] == [[600, 720], [780, 900]]
    assert (hours.country, len(hours.closed_on)) == ("DE", 2)
    page = dana_client.get(url(plumbing)).text
    assert "10:00-12:00, 13:00-15:00" in page
    assert "Those of Northside Plumbing" in dana_client.get(url(eastgate)).text
    assert dana_client.post(url(plumbing, "unanswered/"), RULE).status_code == 302
    rule = UnansweredRule.objects.get()
    assert (rule.is_on, rule.after_minutes, rule.in_opening_hours, rule.text) == (True, 20, False, "Soon!")
    assert "As at Northside Plumbing" in dana_client.get(url(eastgate)).text
    dana_client.post(url(plumbing, "hours/"), {"remove": "1"})
    assert not OpeningHours.objects.exists()
    actions = list(AuditEntry.objects.values_list("action", flat=True))
    assert (actions.count("source.hours"), actions.count("source.unanswered")) == (2, 1)


@pytest.mark.parametrize(
    ("part", "data", "words"),
    [
        ("hours/", {}, "Give at least one day its hours"),
        ("hours/", {"day_0": "9 to 5"}, "Write “9 to 5” as 09:00-17:00."),
        ("hours/", {"day_0": "17:00-09:00"}, "ends before it begins"),
        ("hours/", {"day_0": "\x00"}, "as 09:00-17:00."),
        ("hours/", {**WEEK, "country": "XX"}, "Select a valid choice"),
        ("hours/", {**WEEK, "closed_on": "24.12."}, "as 2026-12-24"),
        ("hours/", {**WEEK, "closed_on": "x" * 3_000}, "at most 2000 characters"),
        ("unanswered/", {**RULE, "after_minutes": "0"}, "greater than or equal to 1"),
        ("unanswered/", {**RULE, "after_minutes": "99999999999"}, "less than or equal to"),
        ("unanswered/", {**RULE, "text": "x" * 1_001}, "at most 1000 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_saved(dana_client, plumbing, part, data, words):
    assert words in dana_client.post(url(plumbing, part), data).text
    assert not OpeningHours.objects.exists()
    assert not UnansweredRule.objects.exists()


def test_only_who_configures_changes_it(northside, plumbing, eve):
    agent = log_in(person("ann", northside, "agent"))
    assert agent.get(url(plumbing)).status_code == 403
    assert agent.post(url(plumbing, "hours/"), WEEK).status_code == 403
    assert log_in(eve).post(url(plumbing, "unanswered/"), RULE).status_code == 404
    assert "Timing" not in agent.get(f"/sources/{plumbing.public_id}/messaging/channels/").text


def test_the_api_shows_and_changes_it(api, key, plumbing):
    path = f"sources/{plumbing.public_id}/timing"
    assert api.get(path, key).json()["data"]["timing"] == {"opening_hours": None, "unanswered": None}
    week = {"monday": "09:00-12:00, 13:00-17:00"}
    body = {"opening_hours": {"week": week, "holidays_of": "US", "closed_on": ["2026-12-24"]}}
    shown = api.call("PATCH", path, key, body).json()["data"]["timing"]["opening_hours"]
    assert shown["week"]["monday"] == week["monday"]
    assert shown["week"]["sunday"] == ""
    assert (shown["holidays_of"], shown["closed_on"]) == ("US", ["2026-12-24"])
    rule = api.call("PATCH", path, key, {"unanswered": {"enabled": True, "after_minutes": 5}}).json()
    assert rule["data"]["timing"]["unanswered"]["after_minutes"] == 5
    assert rule["data"]["timing"]["opening_hours"] == shown, "what is not sent stays"
    for bad, pointer in (
        ({"opening_hours": {"week": {"monday": "9-5"}}}, "#/opening_hours/week/monday"),
        ({"opening_hours": {"week": {}}}, "#/opening_hours/week"),
        ({"opening_hours": {"week": {"funday": "09:00-10:00"}}}, "#/opening_hours/week/funday"),
        ({"unanswered": {"enabled": True, "after_minutes": 0}}, "#/unanswered/after_minutes"),
    ):
        refused = api.call("PATCH", path, key, bad)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == pointer
    assert api.call("PATCH", path, key, {"opening_hours": None}).json()["data"]["timing"]["opening_hours"] is None
