"""The page of API calls, and the page that connects an agent."""

from __future__ import annotations

import pytest

from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def called(api, token, key_of, plumbing) -> str:
    api.get("leads", token)
    api.create_lead(token)
    api.get("leads/lead_nothing", token)
    return api.get("whoami", key_of(plumbing))["X-Request-Id"]


def test_calls_are_found_by_request_id_path_answer_and_key(called, dana_client):
    def rows(query: str) -> int:
        return dana_client.get(f"/activity/calls/?{query}").content.decode().count("/activity/calls/call_")

    assert rows("") == 4
    assert rows(f"request_id={called}") == 1
    assert rows("path=/v1/leads") == 3
    assert rows("method=POST") == 1
    assert rows("outcome=refused") == 1
    assert rows("outcome=failed") == 0
    assert rows("kind=source_key") == 1
    assert rows("kind=nonsense") == 4
    assert rows("path=%00") == 4


def test_calls_of_others_are_not_shown(called, eve, northside, eastgate):
    assert "/activity/calls/call_" not in log_in(eve).get("/activity/calls/").content.decode()
    limited = log_in(person("mia", northside, "manager", eastgate))
    assert "/activity/calls/call_" not in limited.get("/activity/calls/").content.decode()


def test_an_agent_is_connected_by_what_the_page_shows(dana_client, settings):
    page = dana_client.get("/settings/agents/").content.decode()
    assert f"{settings.BASE_URL}/mcp" in page
    assert "mcpServers" in page
