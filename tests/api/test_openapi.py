"""The OpenAPI document and the code agree: schemathesis over every operation, and nothing that callers use goes away."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import Membership
from api.deprecation import Deprecation
from api.models import ApiToken
from api.problem_codes import CODES
from api.services import make_token
from config.schema_examples import ELSEWHERE
from config.wsgi import application
from conversations.models import Conversation, Message
from core.ids import encode
from integrations.lead_reply_api.whoami import WhoamiApi
from leads.models import CustomField
from tests.support.foreign import attachment_of
from tests.support.openapi_diff import RELEASED, breaking_changes
from tests.whole.test_structure import FLOORS
from webhooks.event_types import SUBSCRIBABLE
from webhooks.models import Delivery
from webhooks.services.replays import start_replay
from webhooks.services.subscriptions import subscribe

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    negative_data_rejection,
]  # fmt: skip


@functools.cache
def _text() -> str:
    return json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str)


def document() -> dict[str, Any]:
    """The document, for each caller to change as it likes."""
    made: dict[str, Any] = json.loads(_text())
    return made


OPERATIONS = [
    (method, path, operation) for path, methods in document()["paths"].items() for method, operation in methods.items()
]
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]


@pytest.fixture
def _keeps_the_connection():
    """Calls through WSGI would hang up the connection that the test's transaction lives on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(_keeps_the_connection, dana, actor, northside, plumbing, lead_at, key_of, webhook_at, settings, tmp_path):
    """One of everything, so that random calls meet something: keys by what they may do, and ids by parameter."""
    settings.MEDIA_ROOT = tmp_path
    creator = Membership.objects.get(user=dana)
    keys = {
        "every scope": make_token(creator=creator, actor=actor, name="All", scopes=list(ApiToken.Scope.values))[1],
        "one scope": make_token(creator=creator, actor=actor, name="Few", scopes=[ApiToken.Scope.LEADS_READ.value])[1],
        "a source's key": key_of(plumbing),
    }
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead = lead_at(plumbing)
    webhook, _ = subscribe(
        creator=creator,
        actor=actor,
        name="W",
        url="https://x.example.com/",
        event_types=["lead.created"],
        source_ids=[],
    )
    job = start_replay(endpoint=webhook, actor=actor, since=timezone.now(), is_dry_run=True)
    field = CustomField.objects.create(organization=northside, key="size")
    delivery = Delivery.objects.get()
    return keys, {
        "lead_id": lead.public_id,
        "source_id": plumbing.public_id,
        "conversation_id": Conversation.objects.get().public_id,
        "message_id": Message.objects.get().public_id,
        "attachment_id": attachment_of(lead).public_id,
        "webhook_id": webhook.public_id,
        "delivery_id": encode("dlv", delivery.pk),
        "job_id": job.public_id,
        "field_id": field.public_id,
        "slug": "rest-webhook",
        "channel": "email",
    }


KINDS = [
    pytest.param("every scope", GenerationMode.POSITIVE, 12, id="as described"),
    pytest.param("every scope", GenerationMode.NEGATIVE, 12, id="not as described"),
    pytest.param("one scope", GenerationMode.POSITIVE, 4, id="one scope"),
    pytest.param("a source's key", GenerationMode.POSITIVE, 4, id="a source's key"),
]


@pytest.mark.parametrize(("kind", "mode", "examples"), KINDS)
@pytest.mark.parametrize("operation_id", IDS)
def test_whatever_is_sent_is_answered_as_documented(world, operation_id, kind, mode, examples):
    """Also what is not as the document asks for: it is refused, with a status and a code of this operation."""
    keys, known = world
    schema = schemathesis.openapi.from_dict(document())
    schema.app = application
    count = 0

    [operation] = [operation.ok() for operation in schema.include(operation_id=operation_id).get_all_operations()]

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def call(case) -> None:
        nonlocal count
        count += 1
        if count % 4:  # one in four has ids of nothing
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {keys[kind]}"}
        case.headers.pop("X-On-Behalf-Of", None)
        case.validate_response(case.call(), checks=CHECKS)

    try:
        given(case=operation.as_strategy(generation_mode=mode))(call)()
    except Unsatisfiable:  # it takes nothing that could be wrong
        assert mode is GenerationMode.NEGATIVE
        assert not [*operation.body, *operation.query, *operation.headers]
        return
    assert count


# --- what it says ---


def test_it_says_how_a_key_is_shown_so_that_the_reference_can_try_it():
    assert document()["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert all(operation["security"][0].keys() == {"key"} for _, _, operation in OPERATIONS)


def fields_of(schema: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{where}.{name}", field
        yield from fields_of(field, f"{where}.{name}")
        yield from fields_of(field.get("items", {}), f"{where}.{name}")


def test_every_field_has_an_example_that_it_would_take():
    for component, schema in document()["components"]["schemas"].items():
        for where, field in fields_of(schema, component):
            is_described = ELSEWHERE & (field.keys() | field.get("items", {}).keys())
            if is_described or field.get("type") in ("boolean", "object"):
                continue
            assert field.get("examples"), where
            plain = {name: value for name, value in field.items() if name != "items"}
            jsonschema.validate(field["examples"][0], plain)


def test_every_operation_names_its_scope_and_how_it_is_called():
    for method, path, operation in OPERATIONS:
        where = f"{method} {path}"
        if operation["operationId"] != "whoami":
            assert operation["x-scope"] in ApiToken.Scope.values, where
            assert operation["security"] == [{"key": [operation["x-scope"]]}], where
        assert operation["tags"], where
        if method == "post":
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert "Idempotency-Key" in names, where


def test_every_code_that_the_product_uses_is_in_the_contract_and_none_besides():
    root = RELEASED.parent.parent
    text = "\n".join(
        path.read_text()
        for folder in FLOORS
        for path in (root / folder).rglob("*.py")
        if path.name != "problem_codes.py"
    )
    used = set(
        re.findall(
            r"(?:Refusal|Refused|problem|_answer)\(\s*(?:request,\s*|plain,\s*)?\d{3},\s*\"([a-zA-Z]+\.[a-zA-Z]+)\"",
            text,
        )
    )
    used |= {f"{what}.notFound" for what in re.findall(r"NotFound\(\"([a-zA-Z]+)\"\)", text)}
    used |= {f"{what}.notFound" for what in re.findall(r"id_of\(\"\w+\", \w+, \"([a-zA-Z]+)\"\)", text)}
    used |= {"resource.notFound", "message.notFound", "rateLimit.exceeded"}
    assert used == set(CODES)


def test_webhooks_are_in_the_document_with_a_sample_each():
    webhooks = document()["webhooks"]
    assert set(webhooks) == {event_type.value for event_type in SUBSCRIBABLE}
    for name, told in webhooks.items():
        assert told["post"]["requestBody"]["content"]["application/json"]["example"]["type"] == name


def test_nothing_that_was_released_breaks():
    assert breaking_changes(json.loads(RELEASED.read_text()), document()) == []


def test_a_breaking_change_would_be_seen():
    old, new = document(), document()
    del new["paths"]["/v1/whoami"]
    new["paths"]["/v1/leads"]["get"]["parameters"] = []
    new["components"]["schemas"]["NewLeadInputRequest"]["required"].append("phone")
    del new["components"]["schemas"]["LeadShown"]["properties"]["tags"]
    changes = "\n".join(breaking_changes(old, new))
    for words in ("GET /v1/whoami is gone", "parameter q is gone", "body/phone is required now", "tags is gone"):
        assert words in changes


def test_the_page_for_people_is_made_from_the_document():
    from docs.make_api import PAGE, page

    assert PAGE.read_text() == page(), "run python -m docs.make_api"


def test_what_goes_away_says_so(api, token, monkeypatch):
    gone = Deprecation(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(WhoamiApi, "deprecation", gone)
    answer = api.get("whoami", token)
    assert answer["Deprecation"] == "@1767225600"
    assert answer["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert 'rel="deprecation"' in answer["Link"]
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert schema["paths"]["/v1/whoami"]["get"]["deprecated"] is True
