"""Channel connections, managed by programs."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Membership
from api.models import ApiToken
from api.services import make_token
from messaging.models import ChannelConnection, MailFolder
from tests.providers import twilio
from tests.support.people import limited_manager, person
from tests.support.providers import TWILIO

pytestmark = pytest.mark.django_db
PATH = "messaging-channel-connections"
SCOPES = ["channels:write"]


@pytest.fixture
def key(dana, actor) -> str:
    return make_token(creator=Membership.objects.get(user=dana), actor=actor, name="Ops", scopes=SCOPES)[1]


@pytest.fixture
def wanted(plumbing):
    settings = dict(TWILIO)
    return {"provider": "twilio", "name": "Main line", "phone_number": "+1 500 555 0006", "source_id": plumbing.public_id,
            "settings": settings}  # fmt: skip


def test_a_number_is_connected_once_and_its_secret_never_comes_out(api, key, wanted, plumbing):
    first = api.post(PATH, key, wanted, Idempotency_Key="1")
    assert first.status_code == 201, first.json()
    shown = first.json()["data"]["messaging_channel_connection"]
    assert (shown["phone_number"], shown["connected"]) == (twilio.OUR_NUMBER, True)
    assert shown["callback_url"].endswith(f"/channels/{ChannelConnection.objects.latest('id').callback_token}/")
    assert api.post(PATH, key, wanted, Idempotency_Key="1").json() == first.json()
    assert api.post(PATH, key, wanted).json()["code"] == "connection.exists"
    again = api.get(first["Location"].removeprefix("/v1/"), key)
    assert twilio.AUTH_TOKEN not in first.text + again.text


def test_everything_that_is_wrong_is_named_at_once(api, key, wanted):
    settings = {"account_sid": "SK1", "colour": "red"}
    answer = api.post(PATH, key, {**wanted, "settings": settings})
    assert answer.status_code == 400
    places = {error["pointer"] for error in answer.json()["errors"]}
    assert places == {"#/settings/account_sid", "#/settings/auth_token", "#/settings/colour"}
    for field, value in (
        ("phone_number", "call me"),
        ("source_id", "src_nothing"),
        ("provider", "form"),
        ("name", "\x00"),
    ):
        answer = api.post(PATH, key, {**wanted, field: value})
        assert answer.json()["errors"][0]["pointer"] == f"#/{field}", field


def test_credentials_are_changed_and_checked(api, key, sms, twilio_server):
    path = f"{PATH}/{sms.pk}"
    assert api.post(f"{path}/check", key).json()["data"]["check"]["ok"] is True
    answer = api.call("PATCH", path, key, {"settings": {"auth_token": "wrong"}})
    assert answer.json()["data"]["messaging_channel_connection"]["last_check"] is None
    assert "Auth Token" in api.post(f"{path}/check", key).json()["data"]["check"]["detail"]


def test_a_test_is_sent_once_for_a_key(api, key, sms, twilio_server):
    before = len(twilio_server.taken)
    for _ in range(2):
        answer = api.post(f"{PATH}/{sms.pk}/send-test", key, {"to": "+14155550100"}, Idempotency_Key="1")
        assert answer.status_code == 202
    assert len(twilio_server.taken) == before + 1
    where = answer["Location"].removeprefix("/v1/")
    assert api.get(where, key).json()["data"]["messaging_channel_connection"]["last_check"]["ok"] is True


def test_sources_use_it_and_stop(api, key, sms, eastgate):
    path = f"{PATH}/{sms.pk}/sources/{eastgate.public_id}"
    shown = api.call("PUT", path, key, {"default": True}).json()["data"]["messaging_channel_connection"]
    assert shown["source_ids"] == [sms.source.public_id, eastgate.public_id]
    for _ in range(2):
        assert api.call("DELETE", path, key).status_code == 204


def test_removing_takes_it_from_every_list(api, key, sms, eastgate):
    assert sms.pk in [row["id"] for row in listed(api, key, eastgate)]
    assert api.call("DELETE", f"{PATH}/{sms.pk}", key).status_code == 204
    assert sms.pk not in [row["id"] for row in listed(api, key, eastgate)]
    assert api.get(f"{PATH}/{sms.pk}", key).status_code == 404


def listed(api, key, source):
    rows = api.get(f"{PATH}?source_id={source.public_id}", key).json()["data"]["messaging_channel_connections"]
    return [row for row in rows if row["messaging_channel_id"] == "sms"]


def test_one_default_of_each_kind(api, key, sms, plumbing, eastgate, westgate):
    """K9: of many sources each had its own."""
    rows = api.get(PATH, key).json()["data"]["messaging_channel_connections"]
    defaults = [row["messaging_channel_id"] for row in rows if row["default"]]
    assert sorted(defaults) == ["email", "sms", "website"]
    assert [row["default"] for row in listed(api, key, eastgate)] == [True]  # its parent's


def test_a_lead_is_reached_where_it_has_an_address(api, key_of, sms, eastgate, lead_at):
    lead = lead_at(eastgate, email="", phone="+14155550100")
    answer = api.get(f"{PATH}?lead_id={lead.public_id}", key_of(eastgate))
    reasons = {
        row["messaging_channel_id"]: row["reason"] for row in answer.json()["data"]["messaging_channel_connections"]
    }
    assert reasons == {"email": "no_email", "sms": None, "website": "receives_only"}


@pytest.mark.parametrize(("method", "path"), [
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/check"), ("POST", "/send-test"), ("PUT", "/sources/{source}"),
])  # fmt: skip
def test_others_find_nothing(api, harbor, eve, northside, sms, eastgate, actor, method, path):
    bodies = {"PATCH": {"name": "Ours"}, "POST": {"to": "+14155550100"} if "test" in path else None, "PUT": {}}
    foreign = make_token(creator=Membership.objects.get(user=eve), actor=actor, name="Eve", scopes=SCOPES)[1]
    limited = make_token(creator=limited_manager("mia", northside, eastgate), actor=actor, name="M", scopes=SCOPES)[1]
    for key in (foreign, limited):
        url = f"{PATH}/{sms.pk}{path.format(source=eastgate.public_id)}"
        assert api.call(method, url, key, bodies.get(method)).status_code == 404


def test_an_agent_and_a_source_key_manage_nothing(api, key_of, northside, plumbing, sms, wanted, actor):
    agent = Membership.objects.get(user=person("ann", northside, "agent"))
    for key in (
        make_token(creator=agent, actor=actor, name="A", kind=ApiToken.Kind.STAFF, scopes=SCOPES)[1],
        key_of(plumbing),
    ):
        assert api.post(PATH, key, wanted).status_code == 403
        assert api.get(f"{PATH}/{sms.pk}", key).status_code == 403


def test_the_pace_can_be_lowered_and_not_raised(api, key, sms):
    path = f"{PATH}/{sms.pk}"
    shown = api.call("PATCH", path, key, {"pace": {"per_second": 0.5, "per_day": 200}}).json()["data"]
    assert shown["messaging_channel_connection"]["pace"] == {"per_second": 0.5, "per_hour": None, "per_day": 200}
    refused = api.call("PATCH", path, key, {"pace": {"per_second": 5}}).json()
    assert refused["errors"][0]["pointer"] == "#/pace/per_second"


def test_a_mailbox_has_an_email_address_and_says_how_it_is_read(api, key, plumbing, mailbox_settings, smtp_account):
    body = {"provider": "smtp", "name": "Sales", "source_id": plumbing.public_id, "settings": mailbox_settings}
    for field, value in (("phone_number", "+15005550006"), ("email_address", "sales@localhost")):
        answer = api.post(PATH, key, {**body, field: value})
        assert answer.json()["errors"][0]["pointer"] == f"#/{field}", field
    assert api.post(PATH, key, body).json()["errors"][0]["code"] == "required"
    answer = api.post(PATH, key, {**body, "email_address": "Sales@northside.example"})
    shown = answer.json()["data"]["messaging_channel_connection"]
    assert (shown["email_address"], shown["phone_number"]) == ("sales@northside.example", "")
    assert (shown["messaging_channel_id"], shown["reading"]) == ("email", None)
    path = f"{PATH}/{shown['id']}"
    MailFolder.objects.create(connection_id=shown["id"], last_error="It refuses.", failing_since=timezone.now())
    reading = api.get(path, key).json()["data"]["messaging_channel_connection"]["reading"]
    assert (reading["read_at"], reading["last_error"]) == (None, "It refuses.")
    assert api.post(f"{path}/send-test", key, {"to": "+14155550100"}).json()["errors"][0]["pointer"] == "#/to"
    assert api.post(f"{path}/send-test", key, {"to": "dana@example.net"}).status_code == 202
    assert smtp_account.wait(1)[0]["To"] == "dana@example.net"
    changed = api.call("PATCH", path, key, {"email_address": "new@northside.example"}).json()["data"]
    assert changed["messaging_channel_connection"]["email_address"] == "new@northside.example"
