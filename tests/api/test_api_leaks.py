"""Every operation of the API x every kind of key x what is not theirs, made from the document: none can escape."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from api.models import ApiToken
from api.services import make_directory_token, make_token
from conversations.models import Conversation, Message
from conversations.services.erasing import erase_lead
from core.ids import encode
from tests.api.test_openapi import OPERATIONS
from tests.support.foreign import SECRET, attachment_of, number_of, replay_of, reply_of, webhook_of
from tests.support.people import person
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
WITH_IDS = [operation for operation in OPERATIONS if "{" in operation[1]]
# A body that is right, so that nothing but the right to it can be refused.
BODIES: dict[str, Any] = {
    "send_reply": {"content": "Hello"},
    "classify_reply": {"classification": "interested"},
    "merge_lead": {"into": "lead_00000000000000000000000000"},
    "create_opt_out": {"channel": "email"},
    "report_message": {"content": "Hello", "external_id": "1"},
    "create_note": {"content": "Hello"},
    "replay_webhook": {"since": "2026-01-01T00:00:00Z"},
    "update_source": {"name": "Mine now"},
    "update_card": {"enabled": True},
    "update_webhook": {"name": "Mine now"},
    "update_lead": {"first_name": "Mine now"},
    "update_conversation": {"status": "closed"},
    "update_custom_field": {"label": "Mine now"},
    "update_channel_connection": {"name": "Mine now"},
    "test_channel_connection": {"to": "+14155550100"},
}
KINDS = ["app", "staff", "limited", "source_key", "directory"]


@pytest.fixture
def keys(northside, harbor, plumbing, eastgate, dana, actor, key_of):
    """One key of each kind, none of which reaches the other organization (nor, for the limited one, the business)."""
    scopes = list(ApiToken.Scope.values)
    mine = Membership.objects.get(user=dana)
    mia = Membership.objects.get(user=person("mia", northside, "manager", eastgate))
    return {
        "app": make_token(creator=mine, actor=actor, name="A", scopes=scopes)[1],
        "staff": make_token(creator=mine, actor=actor, name="S", scopes=scopes, kind=ApiToken.Kind.STAFF)[1],
        "limited": make_token(creator=mia, actor=actor, name="L", scopes=scopes)[1],
        "source_key": key_of(plumbing),
        "directory": make_directory_token(actor=actor, name="D", scopes=scopes, organizations=[northside])[1],
    }


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda part: values.get(part[1], "email"), path).removeprefix("/v1/")


def missing(values: dict[str, str]) -> dict[str, str]:
    """The same ids, but nothing has them."""
    fresh = {name: f"{value[:-4]}0000" if "_" in value else value for name, value in values.items()}
    return {**fresh, "connection_id": "99999999"}


def asked(api, method: str, path: str, key: str, body: Any, headers: dict[str, str]) -> tuple[Any, list[str]]:
    """An answer, and the statements that it took, without their values."""
    with CaptureQueriesContext(connection) as seen:
        answer = api.call(method.upper(), path, key, body, **headers)
    plain = [re.sub(r"'[^']*'(::\w+)?|\b\d+\b|\"s\d+_x\d+\"", "?", row["sql"]) for row in seen]
    return answer, [sql for sql in plain if "api_ratelimitwindow" not in sql and "UPDATE" not in sql]


def body_of(operation: dict[str, Any], values: dict[str, str]) -> Any:
    body = BODIES.get(operation["operationId"])
    return body if body is not None else {} if "requestBody" in operation else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("method", "path", "operation"), WITH_IDS, ids=[operation[2]["operationId"] for operation in WITH_IDS]
)
def test_what_is_another_organizations_is_as_if_it_were_not_there(
    api,
    keys,
    foreign,
    northside,
    method,
    path,
    operation,
    kind,
):
    headers = {"X-On-Behalf-Of": encode("org", northside.pk)} if kind == "directory" else {}
    values = {**foreign, "field_id": "cf_00000000000000000000000000"}
    answers = []
    for ids in (values, missing(values)):
        answers.append(asked(api, method, filled(path, ids), keys[kind], body_of(operation, ids), headers))
    (theirs, of_theirs), (nothing, of_nothing) = answers
    assert theirs.status_code in (403, 404), (theirs.status_code, theirs.content)
    assert theirs.status_code == nothing.status_code
    assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
    assert of_theirs == of_nothing, "the work must not tell them apart either"
    assert SECRET not in theirs.content.decode()


@pytest.fixture
def next_door(northside, westgate, eastgate, actor, keys, key_of, lead_at, webhook_at):
    """One of everything at Westgate, and a key of each kind that reaches Eastgate alone, in the same organization."""
    webhook_at(westgate, "http://127.0.0.1:9/hook")
    lead = lead_at(westgate, "secret@example.net", message=f"My secret {SECRET}", first_name=SECRET)
    mia = Membership.objects.get(user__email="mia@example.com")
    wes = Membership.objects.get(user=person("wes", northside, "manager", westgate))
    max_ = Membership.objects.get(user=person("max", northside, "manager"))  # an owner may see each webhook
    here = {"X-On-Behalf-Of": eastgate.public_id}

    def token_of(creator: Membership, kind: ApiToken.Kind) -> str:
        return make_token(creator=creator, actor=actor, name=SECRET, scopes=list(ApiToken.Scope.values), kind=kind)[1]

    callers: dict[str, tuple[str, dict[str, str]]] = {
        "app": (token_of(max_, ApiToken.Kind.APP), here),
        "staff": (token_of(max_, ApiToken.Kind.STAFF), here),
        "limited": (keys["limited"], {}),
        "limited staff": (token_of(mia, ApiToken.Kind.STAFF), {}),
        "source_key": (key_of(eastgate), {}),
        "directory": (keys["directory"], here),
    }
    ids = {
        **ids_of(lead),
        "source_id": westgate.public_id,
        "job_id": encode("job", replay_of(westgate).pk),
        "webhook_id": webhook_of(wes, actor).public_id,  # a webhook is its creator's, and sees what they see
        "field_id": "cf_00000000000000000000000000",
        "connection_id": str(number_of(westgate).pk),
        "slug": "rest-webhook",
    }
    return callers, ids


def ids_of(lead) -> dict[str, str]:
    return {
        "lead_id": lead.public_id,
        "conversation_id": Conversation.objects.get(lead=lead).public_id,
        "message_id": Message.objects.get(lead=lead).public_id,
        "reply_id": reply_of(lead).public_id,
        "attachment_id": attachment_of(lead).public_id,
        "delivery_id": encode("dlv", Delivery.objects.get().pk),
    }


@pytest.mark.parametrize("kind", [*KINDS, "limited staff"])
@pytest.mark.parametrize(
    ("method", "path", "operation"), WITH_IDS, ids=[operation[2]["operationId"] for operation in WITH_IDS]
)
def test_what_is_of_another_source_is_as_if_it_were_not_there(api, next_door, method, path, operation, kind):
    """Within one organization: for a limited member, for a source's own key, and for a header that names a source."""
    callers, values = next_door
    key, headers = callers[kind]
    for ids in (values, missing(values)):
        answer = api.call(method.upper(), filled(path, ids), key, body_of(operation, ids), **headers)
        assert answer.status_code in (403, 404), (answer.status_code, answer.content)
        assert SECRET not in answer.content.decode()


OF_A_LEAD = [operation for operation in WITH_IDS if re.search("{(lead|conversation|message)_id}", operation[1])]


@pytest.mark.parametrize("kind", ["app", "staff", "source_key", "directory"])
@pytest.mark.parametrize(
    ("method", "path", "operation"), OF_A_LEAD, ids=[operation[2]["operationId"] for operation in OF_A_LEAD]
)
def test_an_erased_lead_is_as_if_it_were_not_there(
    api, keys, northside, plumbing, lead_at, webhook_at, actor, method, path, operation, kind
):
    """Also for keys that reached it before."""
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead = lead_at(plumbing, "secret@example.net", message=f"My secret {SECRET}", first_name=SECRET)
    values = ids_of(lead)
    erase_lead(lead=lead, actor=actor)
    headers = {"X-On-Behalf-Of": encode("org", northside.pk)} if kind == "directory" else {}
    body = body_of(operation, values)
    answer = api.call(method.upper(), filled(path, values), keys[kind], body, **headers)
    nothing = api.call(method.upper(), filled(path, missing(values)), keys[kind], body, **headers)
    assert answer.status_code in (403, 404), (answer.status_code, answer.content)
    assert {**answer.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[operation[2]["operationId"] for operation in OPERATIONS]
)
def test_without_a_good_key_there_is_nothing(api, foreign, token, method, path, operation):
    ApiToken.objects.update(revoked_at="2026-01-01T00:00Z")
    for key in (None, "lwa_wrong", token):
        answer = api.call(method.upper(), filled(path, foreign), key, body_of(operation, foreign))
        assert (answer.status_code, answer.content) == (401, b""), operation["operationId"]


@pytest.mark.parametrize(
    ("method", "path", "operation"), WITH_IDS, ids=[operation[2]["operationId"] for operation in WITH_IDS]
)
def test_of_an_archived_source_nothing_is_changed_by_a_reply_key(
    api, keys, plumbing, lead_at, actor, method, path, operation
):
    from sources.services import archive_source

    lead_at(plumbing)
    archive_source(source=plumbing, actor=actor)
    values = {"source_id": plumbing.public_id, "slug": "rest-webhook"}
    answer = api.call(method.upper(), filled(path, values), keys["source_key"], body_of(operation, values))
    assert answer.status_code == 401
