"""Settings, Channels: from an empty page to a number that works."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from api.services import make_token
from messaging.models import ChannelConnection, MailboxAccount, MailFolder, SourceConnection, UsableConnection
from messaging.models.connections import usable_by
from messaging.registry import PROVIDERS
from messaging.services import connect, use
from tests.providers import twilio
from tests.support.people import log_in, person
from tests.support.providers import TWILIO

pytestmark = pytest.mark.django_db
NEW = "/settings/channels/new/?provider=twilio"


@pytest.fixture
def filled_in(plumbing):
    return {"name": "Main line", "source": plumbing.pk, "own_address": "+1 500 555 0006", **TWILIO}


def test_a_number_is_connected_checked_and_used_at_once(dana_client, filled_in, twilio_server, plumbing, eastgate):
    assert "No connections yet" in dana_client.get("/settings/channels/").text
    answer = dana_client.post(NEW, filled_in, follow=True)
    assert "Twilio knows the account" in answer.text
    assert "Waiting for the first message" in answer.text
    connection = ChannelConnection.objects.get(provider="twilio")
    assert connection.callback_url in answer.text
    assert connection.own_address == twilio.OUR_NUMBER
    usable = UsableConnection.objects.get(source=eastgate, kind="sms")
    assert (usable.connection_id, usable.is_inherited, usable.owner_id) == (connection.pk, True, plumbing.pk)
    assert "inherited from Northside Plumbing" in answer.text


def test_the_page_turns_green_when_the_first_message_has_come(dana_client, sms, twilio_server):
    page = f"/settings/channels/{sms.pk}/"
    assert 'hx-trigger="every 3s' in dana_client.get(page).text
    twilio_server.bring(sms, "Hello")
    answer = dana_client.get(page, headers={"HX-Request": "true"}).text
    assert "Connected" in answer
    assert "hx-trigger" not in answer


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("own_address", "call me", "not a phone number"),
        ("account_sid", "SK123", "not the Account SID"),
        ("auth_token", "", "required"),
        ("auth_token", "two words", "not the Auth Token"),
        ("name", "\x00", "Null characters"),
        ("name", "x" * 101, "at most 100"),
        ("source", "nowhere", "is not a valid UUID"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_nothing_is_connected(dana_client, filled_in, field, text, words):
    answer = dana_client.post(NEW, {**filled_in, field: text})
    assert words in answer.text
    assert not ChannelConnection.objects.filter(provider="twilio").exists()


def test_the_token_is_never_shown_again_and_stays_when_it_is_left_out(dana_client, sms, twilio_server):
    edit = f"/settings/channels/{sms.pk}/edit/"
    assert twilio.AUTH_TOKEN not in dana_client.get(edit).text
    changed = {
        "name": "Second line",
        "own_address": sms.own_address,
        "account_sid": twilio.ACCOUNT_SID,
        "auth_token": "",
    }
    assert "Twilio knows the account" in dana_client.post(edit, changed, follow=True).text
    assert twilio.AUTH_TOKEN not in dana_client.get(f"/settings/channels/{sms.pk}/").text
    assert all(twilio.AUTH_TOKEN not in str((row.before, row.after)) for row in AuditEntry.objects.all())


def test_credentials_that_twilio_refuses_are_explained(dana_client, filled_in, twilio_server):
    answer = dana_client.post(NEW, {**filled_in, "auth_token": "wrong"}, follow=True)
    assert "Twilio refuses the Account SID or the Auth Token" in answer.text


def test_a_test_goes_to_the_persons_own_phone(dana_client, sms, twilio_server):
    answer = dana_client.post(f"/settings/channels/{sms.pk}/test/", {"to": "+1 415 555 0100"}, follow=True)
    assert "Look whether it arrives" in answer.text
    assert twilio_server.taken[-1]["To"] == "+14155550100"
    answer = dana_client.post(f"/settings/channels/{sms.pk}/test/", {"to": "my phone"})
    assert "not a phone number" in answer.text


def test_a_number_is_connected_once(dana_client, sms, filled_in):
    answer = dana_client.post(NEW, filled_in)
    assert "connected already" in answer.text


def test_sources_use_it_or_not(dana_client, sms, eastgate, plumbing, twilio_server):
    use = f"/settings/channels/{sms.pk}/sources/"
    dana_client.post(use, {"source": eastgate.public_id})
    assert SourceConnection.objects.filter(connection=sms, source=eastgate).exists()
    dana_client.post(use, {"source": plumbing.public_id, "stop": "1"})
    dana_client.post(use, {"source": eastgate.public_id, "stop": "1"})
    assert not UsableConnection.objects.filter(connection=sms).exists()


def test_disconnecting_says_what_stops_and_forgets_the_secret(dana_client, sms, eastgate, lead_at, api, key_of):
    lead = lead_at(eastgate, email="", phone="+14155550100")
    key = key_of(eastgate)
    assert api.reply(key, lead).status_code == 201
    page = dana_client.get(f"/settings/channels/{sms.pk}/remove/").text
    assert "2 sources" in page
    assert "1 message that waits" in page
    dana_client.post(f"/settings/channels/{sms.pk}/remove/", {"disconnect": "1"})
    sms.refresh_from_db()
    assert (sms.is_connected, sms.twilio.auth_token) == (False, None)
    assert api.reply(key, lead).json()["code"] == "channel.notConnected"
    dana_client.post(f"/settings/channels/{sms.pk}/remove/", {"remove": "1"})
    assert dana_client.get(f"/settings/channels/{sms.pk}/").status_code == 404
    assert api.reply(key, lead).json()["code"] == "channel.unavailable"


def test_new_credentials_connect_it_again(dana_client, sms, twilio_server):
    dana_client.post(f"/settings/channels/{sms.pk}/remove/", {"disconnect": "1"})
    edit = f"/settings/channels/{sms.pk}/edit/"
    values = {"name": sms.name, "own_address": sms.own_address, **TWILIO}
    assert "required" in dana_client.post(edit, {**values, "auth_token": ""}).text
    assert "Twilio knows the account" in dana_client.post(edit, values, follow=True).text


def test_a_limited_manager_configures_the_connections_of_their_sources(northside, sms, eastgate, plumbing, filled_in):
    client = log_in(person("mia", northside, "manager", eastgate))
    assert client.get(f"/settings/channels/{sms.pk}/").status_code == 404
    assert "Main line" in client.get(f"/sources/{eastgate.public_id}/messaging/channels/").text
    assert "Select a valid choice" in client.post(NEW, filled_in).text
    agent = log_in(person("ann", northside, "agent"))
    assert agent.get("/settings/channels/").status_code == 403


def test_the_composer_offers_first_what_the_lead_used_last(dana_client, sms, twilio_server, whatsapp, meta_server):
    from conversations.models import Conversation
    from tests.support.due import run_jobs

    for server, connection in ((twilio_server, sms), (meta_server, whatsapp)):
        server.bring(connection, "Hello")
        run_jobs()
    page = dana_client.get(f"/inbox/{Conversation.objects.get().public_id}/").text
    assert page.index("WhatsApp to +14155550100") < page.index("SMS to +14155550100")


def test_a_limited_manager_reads_no_names_of_other_sources(northside, eastgate, westgate, actor, api, twilio_server):
    number = connect(
        source=eastgate,
        actor=actor,
        provider=PROVIDERS["twilio"],
        name="East",
        own_address="+15005550007",
        settings=TWILIO,
    )
    use(connection=number, source=westgate, actor=actor)
    manager = person("mia", northside, "manager", eastgate)
    client = log_in(manager)
    for path in ("", "remove/"):
        page = client.get(f"/settings/channels/{number.pk}/{path}").text
        assert "Eastgate" in page
        assert "Westgate" not in page
    assert "It stops for 2 sources" in page
    creator = Membership.objects.get(user=manager)
    key = make_token(creator=creator, actor=actor, name="M", scopes=["channels:write"])[1]
    shown = api.get(f"messaging-channel-connections/{number.pk}", key).json()["data"]["messaging_channel_connection"]
    assert shown["source_ids"] == [eastgate.public_id]


def test_a_number_cannot_be_changed_to_one_that_is_connected(sms, eastgate, actor, dana_client, twilio_server):
    other = connect(
        source=eastgate,
        actor=actor,
        provider=PROVIDERS["twilio"],
        name="East",
        own_address="+15005550007",
        settings=TWILIO,
    )
    values = {"name": "East", "own_address": sms.own_address, "account_sid": TWILIO["account_sid"]}
    assert "connected already" in dana_client.post(f"/settings/channels/{other.pk}/edit/", values).text


def test_a_mailbox_is_connected_with_its_address_and_its_page_says_that_it_looks(
    dana_client, plumbing, mailbox_settings
):
    form = {"name": "Sales", "source": plumbing.pk, "own_address": "Sales@Northside.example", **mailbox_settings}
    page = "/settings/channels/new/?provider=smtp"
    assert "not an email address" in dana_client.post(page, {**form, "own_address": "+1 500 555 0006"}).text
    for field, wrong, words in (
        ("smtp_host", "two words", "not the Server for sending"),
        ("imap_port", "65536", "not the Port for reading"),
        ("first_days", "0", "not the Days of old mail"),
        ("smtp_host", "", "required"),
    ):
        assert words in dana_client.post(page, {**form, field: wrong}).text, field
    assert not ChannelConnection.objects.filter(provider="smtp").exists()
    answer = dana_client.post(page, form, follow=True).text
    assert "Both servers take the user name and the password" in answer
    assert "Looking into the mailbox for the first time" in answer
    connection = ChannelConnection.objects.get(provider="smtp")
    assert connection.own_address == "sales@northside.example"
    assert connection.callback_url not in answer
    MailFolder.objects.create(connection=connection, last_error="It refuses.", failing_since=timezone.now())
    assert "Not reading" in dana_client.get(f"/settings/channels/{connection.pk}/").text
    MailboxAccount.objects.update(imap_host="")  # whoever reads no mailbox does not fail to
    assert "Connected, for sending only" in dana_client.get(f"/settings/channels/{connection.pk}/").text


def test_a_mailbox_is_the_default_and_locations_inherit_it(mailbox, plumbing, eastgate):
    def order(source):
        return [
            (usable.connection.provider, usable.is_default) for usable in usable_by(source.pk) if usable.kind == "email"
        ]

    assert order(plumbing) == [("smtp", True), ("installation", False)]
    assert order(eastgate) == [("smtp", True), ("installation", False)]


def test_the_page_of_an_esp_says_what_to_enter_there(dana_client, esp_calls):
    page = dana_client.get(f"/settings/channels/{esp_calls.connection.pk}/").text
    address = esp_calls.connection.callback_url
    second = f"{address}mime" if esp_calls.slug == "mailgun" else address.replace("://", "://leadwire:PASSWORD@")
    assert f'id="callback-url-1">{address}<' in page
    assert f'id="callback-url-2">{second}<' in page
    assert "Not working" not in page
