"""The team's pages as forms without JavaScript: what is posted, what changes, what is said."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, Source, User
from conversations.models import Conversation, Message
from core.ids import encode
from leads.models import Lead, OptOut
from outbox.models import Lane
from tests.support.people import PASSWORD, log_in, person
from webhooks.models import RestWebhook

pytestmark = pytest.mark.django_db


def words(answer) -> str:
    return html.unescape(answer.content.decode())


@pytest.fixture
def thread(plumbing, lead_at):
    lead_at(plumbing)
    return Conversation.objects.get()


# --- conversation ---


def test_an_answer_is_queued_and_stands_in_the_timeline(dana_client, thread):
    path = f"/inbox/{thread.public_id}/"
    assert dana_client.post(f"{path}reply/", {"content": "We come at 4."})["Location"] == path
    sent = Message.objects.get(direction="outbound")
    assert (sent.content, sent.author, sent.author_name, sent.status) == ("We come at 4.", "staff", "Dana", "queued")
    assert "We come at 4." in words(dana_client.get(path))


def test_the_screens_of_the_team_are_not_affected_by_enable(dana_client, thread, plumbing):
    assert not plumbing.leadreplyapi.is_enabled
    dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "Hello"})
    assert Message.objects.filter(direction="outbound").count() == 1


def test_an_answer_is_refused_when_somebody_answered_since_the_page_was_drawn(dana_client, thread):
    first = Message.objects.get()
    dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "One", "last": first.public_id})
    answer = dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "Two", "last": first.public_id})
    assert "Dana answered 1 s ago. Read it first." in words(answer)
    assert ">Two</textarea>" in words(answer).replace("\r", "").replace("\n", "")  # what was typed stays
    assert Message.objects.filter(direction="outbound").count() == 1


def test_send_and_close_closes(dana_client, thread):
    dana_client.post(f"/inbox/{thread.public_id}/reply/", {"content": "Done.", "close": "1"})
    thread.refresh_from_db()
    assert not thread.is_open


def test_staff_writing_in_a_closed_conversation_reopens_it(dana_client, thread):
    path = f"/inbox/{thread.public_id}/"
    dana_client.post(f"{path}close/", {"close": "1"})
    thread.refresh_from_db()
    assert thread.closed_by.email == "dana@example.com"
    dana_client.post(f"{path}reply/", {"content": "One more thing"})
    thread.refresh_from_db()
    assert thread.is_open


def test_close_and_reopen(dana_client, thread):
    path = f"/inbox/{thread.public_id}/close/"
    dana_client.post(path, {"close": "1"})
    dana_client.post(path, {"reopen": "1"})
    thread.refresh_from_db()
    assert thread.is_open


def test_a_failure_is_shown_on_the_message_and_can_be_sent_again(dana_client, api, key_of, plumbing, thread):
    sent = api.reply(key_of(plumbing), thread.lead).json()["data"]["message"]
    Message.objects.filter(direction="outbound").update(
        status="failed", error_code="channel.bounced", error_detail="550 user unknown"
    )
    assert "550 user unknown" in words(dana_client.get(f"/inbox/{thread.public_id}/"))
    dana_client.post(f"/messages/{sent['id']}/retry/")
    again = Message.objects.latest("id")
    assert (encode("msg", again.retry_of_id), again.content) == (sent["id"], "We can come today.")
    from messaging.models import Dispatch

    assert Dispatch.objects.filter(pk=again.pk).exists()  # really sent, not only written down
    answer = dana_client.post(f"/messages/{sent['id']}/retry/", follow=True)
    assert "This message was sent again already" in words(answer)


# --- lead ---


def test_a_person_blocks_an_address_and_allows_it_again(dana_client, thread, api, key_of, plumbing):
    path = f"/leads/{thread.lead.public_id}/consent/"
    dana_client.post(path)
    blocked = OptOut.objects.in_force().get()
    assert (blocked.reason, blocked.created_by.email) == ("person", "dana@example.com")
    answer = api.reply(key_of(plumbing), thread.lead).json()
    assert (answer["code"], answer["opted_out"]["reason"]) == ("lead.optedOut", "person")
    assert "Blocked by a person" in answer["detail"]
    dana_client.post(path, {"allow": "1"})
    assert not OptOut.objects.in_force().exists()


def test_consent_is_changed_with_the_lead_locked(dana_client, thread):
    with CaptureQueriesContext(connection) as queries:
        dana_client.post(f"/leads/{thread.lead.public_id}/consent/")
    written = [query["sql"] for query in queries]
    locked = next(place for place, sql in enumerate(written) if "leads_lead" in sql and "FOR NO KEY UPDATE" in sql)
    assert locked < next(place for place, sql in enumerate(written) if 'INSERT INTO "leads_optout"' in sql)


def test_a_lead_whose_email_is_gone_meanwhile_cannot_be_blocked(dana_client, thread):
    Lead.objects.filter(pk=thread.lead_id).update(email="", phone="1", phone_e164="")
    answer = dana_client.post(f"/leads/{thread.lead.public_id}/consent/", follow=True)
    assert "no address on this channel" in words(answer)


def test_the_tabs_of_settings_are_those_that_the_person_may_open(northside, plumbing):
    limited_owner = log_in(person("lea", northside, "owner", plumbing))
    page = words(limited_owner.get("/settings/account/"))
    assert ">API tokens</a>" in page
    for path in re.findall(r'href="(/settings/[^"]+)"', page):
        assert limited_owner.get(path).status_code == 200, path
    assert "/settings/members/" not in page


def test_consent_stays_in_its_organization(dana_client, thread, dental, lead_at, api, key_of):
    dana_client.post(f"/leads/{thread.lead.public_id}/consent/")
    other = lead_at(dental)  # the same address
    assert api.reply(key_of(dental), other).status_code == 201


def test_search_finds_leads_by_all_their_words(dana_client, lead_at, plumbing):
    lead_at(plumbing, "ava@example.net")
    lead_at(plumbing, "bob@example.net", first_name="Bob")
    shown = words(dana_client.get("/leads/?q=bob%20brooks"))
    assert "bob@example.net" in shown
    assert "ava@example.net" not in shown


def test_counts_and_search_are_filtered_by_the_same_rule(northside, plumbing, eastgate, lead_at):
    lead_at(plumbing, "secret@example.net")
    member = log_in(person("pat", northside, "agent", eastgate))
    assert "secret@example.net" not in words(member.get("/leads/?q=secret"))
    assert 'class="count"' not in words(member.get("/inbox/"))
    lead_at(eastgate)
    assert 'class="count"' in words(member.get("/inbox/"))


# --- source ---


def test_a_source_is_edited(dana_client, plumbing):
    fields = {"name": "North", "time_zone": "Europe/Berlin", "form_origins": "https://north.example"}
    dana_client.post(f"/sources/{plumbing.public_id}/edit/", fields)
    plumbing.refresh_from_db()
    assert (plumbing.name, plumbing.time_zone) == ("North", "Europe/Berlin")
    assert plumbing.form_origins == ["https://north.example"]
    line = AuditEntry.objects.get(action="source.update")
    assert (line.before["name"], line.after["name"]) == ("Northside Plumbing", "North")


def test_what_is_wrong_with_a_source_is_said_beside_the_field_and_what_was_typed_stays(dana_client, plumbing):
    fields = {"name": "North", "time_zone": "Mars/Base", "form_origins": "not a website"}
    answer = dana_client.post(f"/sources/{plumbing.public_id}/edit/", fields)
    assert "“not” is not a website" in words(answer)
    assert 'value="North"' in words(answer)
    plumbing.refresh_from_db()
    assert plumbing.name == "Northside Plumbing"


def test_an_archived_source_stops_and_comes_back_with_its_cards(
    dana_client, plumbing, eastgate, webhook_at, api, key_of
):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    key, path = key_of(plumbing), f"/sources/{plumbing.public_id}/archive/"
    assert "Eastgate" in words(dana_client.get(path))
    dana_client.post(path)
    assert Source.objects.filter(archived_at=None).count() == 0
    assert api.get("whoami", key).status_code == 401
    assert Lane.objects.get(rest_webhook__source=plumbing).held_at
    answer = dana_client.post(f"/sources/{eastgate.public_id}/archive/", {"restore": "1"}, follow=True)
    assert "Restore Northside Plumbing first" in words(answer)
    dana_client.post(path, {"restore": "1"})
    assert api.get("whoami", key).status_code == 200
    assert Lane.objects.get(rest_webhook__source=plumbing).held_at is None


def test_a_channel_is_cut_and_connected_again(dana_client, plumbing, thread, api, key_of):
    email = plumbing.connections.get(provider="installation")
    path = f"/sources/{plumbing.public_id}/messaging/channels/{email.pk}/"
    dana_client.post(path)
    assert api.reply(key_of(plumbing), thread.lead).json()["code"] == "channel.notConnected"
    dana_client.post(path, {"connect": "1"})
    email.refresh_from_db()
    assert email.is_connected
    assert list(AuditEntry.objects.filter(action__startswith="channel.").values_list("before", flat=True)) == [
        {"connected": True},
        {"connected": False},
    ]


# --- webhook card ---


def test_the_url_and_the_events_of_a_webhook_are_changed(dana_client, plumbing, webhook_at):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    path = f"/sources/{plumbing.public_id}/messaging/integrations/rest-webhook/settings/"
    dana_client.post(path, {"url": "http://127.0.0.1:9/other"})
    dana_client.post(path, {"event_types": ["message.sent"]})
    card = RestWebhook.objects.get(source=plumbing)
    assert (card.url, card.event_types) == ("http://127.0.0.1:9/other", ["message.sent"])
    answer = dana_client.post(path, {"url": "https://10.0.0.1/x"}, headers={"HX-Request": "true"})
    assert "https://10.0.0.1/x" in words(answer)
    assert RestWebhook.objects.get(source=plumbing).url == "http://127.0.0.1:9/other"


def test_secrets_are_revealed_only_after_the_person_proved_themselves_again(client, dana, plumbing, webhook_at):
    secrets = webhook_at(plumbing, "http://127.0.0.1:9/hook")
    client.post("/accounts/login/", {"login": "dana@example.com", "password": PASSWORD})
    session = client.session
    session["account_authentication_methods"] = [
        {**method, "at": method["at"] - 3600} for method in session["account_authentication_methods"]
    ]
    session.save()
    path = f"/sources/{plumbing.public_id}/messaging/integrations/rest-webhook/secrets/"
    asked = client.get(path)
    assert asked.status_code == 302
    assert "reauthenticate" in asked["Location"]
    assert not AuditEntry.objects.filter(action="rest-webhook.reveal").exists()
    shown = client.post(asked["Location"], {"password": PASSWORD}, follow=True)
    assert all(secret in words(shown) for secret in secrets.values())
    assert AuditEntry.objects.filter(action="rest-webhook.reveal").count() == 1


def test_webhook_secrets_are_stored_encrypted(plumbing, webhook_at):
    from django.db import connection

    secrets = webhook_at(plumbing, "http://127.0.0.1:9/hook")
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM webhooks_webhooksecret t")
        stored = cursor.fetchone()[0]
    assert not [secret for secret in secrets.values() if secret in stored]


# --- deliveries ---


def test_retry_now_makes_an_open_delivery_due(dana_client, plumbing, webhook_at, lead_at):
    from webhooks.models import Delivery

    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead_at(plumbing)
    Delivery.objects.update(next_attempt_at="2100-01-01T00:00Z", attempts=1)
    dana_client.post(f"/deliveries/{encode('dlv', Delivery.objects.get().pk)}/retry/")
    assert Delivery.objects.get().next_attempt_at.year < 2100


# --- times ---


def test_times_are_shown_in_the_viewers_zone(dana, dana_client, thread):
    Message.objects.update(created_at="2026-01-15T23:30:00Z")
    User.objects.filter(pk=dana.pk).update(time_zone="Asia/Tokyo")
    page = words(dana_client.get(f"/inbox/{thread.public_id}/"))
    assert "16 Jan 2026, 08:30" in page or "2026-01-16 08:30" in page or "16 January 2026" in page


def test_the_team_is_mailed_only_where_they_may_answer(api, token, plumbing, eastgate, northside, harbor, eve):
    from conversations.services.team import team_of

    for name, role, *limit in (("ann", "agent"), ("vic", "viewer"), ("lou", "agent", eastgate)):
        person(name, northside, role, *limit)
    api.create_lead(token, source_id=plumbing.public_id)
    names = {user.name for user in team_of(Conversation.objects.get())}
    assert names == {"Dana", "Ann"}


def test_a_lead_has_its_conversations_and_consent_on_its_page(dana_client, thread):
    lead = Lead.objects.get()
    page = words(dana_client.get(f"/leads/{lead.public_id}/"))
    assert f"/inbox/{thread.public_id}/" in page
    assert "ava@example.net" in page
