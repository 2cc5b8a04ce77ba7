"""Bad input gets a problem with a pointer, never a 500, and nothing is half written."""

from __future__ import annotations

import json

import pytest

from conversations.models import Message
from leads.models import Lead

pytestmark = pytest.mark.django_db

NUL, SURROGATE = '"a\\u0000b"', '"a\\ud800b"'
FOUR_BYTES, RTL = "Ava 😀 Brooks", "מישהו עם דליפה"
MEGABYTE = "x" * 1_000_000
LEAD_FIELDS = [
    "first_name", "last_name", "request_title", "email", "phone", "address", "unique_id", "status", "source",
    "source_url", "system_message", "tags",
]  # fmt: skip


def lead_body(**fields) -> dict:
    body = {"first_name": "Ava", "request_title": "Tap", "identifier_type": "email", "email": "ava@example.net"}
    return {**body, **fields}


def raw(field: str, literal: str) -> str:
    """A body in which one field is a JSON literal as it is written here."""
    body = json.dumps(lead_body(**{field: "@@"}))
    return body.replace('"@@"', literal)


def check_problem(answer, status: int = 400) -> dict:
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer["X-Request-Id"]
    return body


@pytest.mark.parametrize("literal", [NUL, SURROGATE], ids=["NUL", "lone surrogate"])
@pytest.mark.parametrize("field", LEAD_FIELDS)
def test_what_cannot_be_stored_is_refused_with_its_pointer(api, token, plumbing, field, literal):
    body = check_problem(api.post("leads", token, raw(field, literal)))
    assert [error["pointer"] for error in body["errors"]] == [f"#/{field}"]
    assert not Lead.objects.exists()


@pytest.mark.parametrize("field", LEAD_FIELDS)
def test_a_field_of_a_megabyte_is_refused(api, token, plumbing, field):
    check_problem(api.post("leads", token, lead_body(**{field: MEGABYTE})), 413)
    check_problem(api.post("leads", token, lead_body(**{field: "x" * 20_001})))
    assert not Lead.objects.exists()


@pytest.mark.parametrize("field", LEAD_FIELDS)
@pytest.mark.parametrize("value", [{}, [[]], True, {"a": 1}], ids=["object", "array", "boolean", "filled object"])
def test_a_wrong_type_is_refused_with_its_pointer(api, token, plumbing, field, value):
    body = check_problem(api.post("leads", token, lead_body(**{field: value})))
    assert any(error["pointer"].startswith(f"#/{field}") for error in body["errors"])


@pytest.mark.parametrize("name", [FOUR_BYTES, RTL])
def test_any_script_is_taken(api, token, plumbing, name):
    assert api.post("leads", token, lead_body(first_name=name, message_data={name: name})).status_code == 201
    assert Lead.objects.get().first_name == name


def test_all_errors_come_at_once(api, token, plumbing):
    body = check_problem(api.post("leads", token, {"identifier_type": "phone", "colour": "red"}))
    assert {error["pointer"] for error in body["errors"]} == {
        "#/first_name",
        "#/request_title",
        "#/identifier_type",
        "#/colour",
    }


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        '{"first_name": ',
        "[]",
        '"text"',
        "null",
        "12",
        "NaN",
        '{"a": NaN}',
        "\ufeff{}",
        b"\xff\xfe{}",
        "[" * 100_000,
    ],
    ids=str,
)
def test_broken_json_is_a_problem(api, token, key_of, plumbing, lead_at, body):
    check_problem(api.post("leads", token, body))
    check_problem(api.post(f"leads/{lead_at(plumbing).public_id}/conversations/reply", key_of(plumbing), body))


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("levels", [21, 500, 90_000])
def test_deep_nesting_is_refused(api, token, plumbing, levels):
    body = json.dumps(lead_body(message_data="@@")).replace('"@@"', nested(levels))
    check_problem(api.post("leads", token, body))


def test_a_number_too_large_for_the_database_is_refused(api, token, plumbing, key_of, lead_at):
    check_problem(api.post("leads", token, raw("message_data", '{"n": 1e400}')))
    check_problem(api.post("leads", token, raw("message_data", f'{{"n": {"9" * 30}}}')))
    answer = api.reply(key_of(plumbing), lead_at(plumbing), messaging_channel_connection_id=int("9" * 18))
    assert answer.status_code == 404


def test_a_30_mb_body_is_refused_before_it_is_read(api, token, plumbing):
    body = check_problem(api.post("leads", token, "x" * 30_000_000), 413)
    assert body["code"] == "request.tooLarge"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_another_content_type_is_415(api, token, plumbing, content_type):
    check_problem(api.post("leads", token, json.dumps(lead_body()), Content_Type=content_type), 415)


@pytest.mark.parametrize("content", ["", " \n ", None, 12, ["a"], {"a": 1}])
def test_a_reply_without_words_is_refused(api, key_of, plumbing, lead_at, content):
    body = check_problem(api.reply(key_of(plumbing), lead_at(plumbing), content))
    assert [error["pointer"] for error in body["errors"]] == ["#/content"]


def test_a_reply_may_have_10_000_characters(api, key_of, plumbing, lead_at):
    key, lead = key_of(plumbing), lead_at(plumbing)
    assert api.reply(key, lead, "😀" * 10_000).status_code == 201
    check_problem(api.reply(key, lead, "x" * 10_001))
    assert Message.objects.filter(direction="outbound").count() == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("cursor=%00", "cursor"),
        ("cursor=nonsense", "cursor"), ("created_after=yesterday", "created_after"), ("colour=red", "colour"),
        ("q=%00", "q"), ("is_new=perhaps", "is_new"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(api, key_of, plumbing, query, parameter):
    body = check_problem(api.get(f"leads?{query}", key_of(plumbing)))
    assert [error["parameter"] for error in body["errors"]] == [parameter]


@pytest.mark.parametrize("key", ["", "x" * 256, "sp ace", "naïve"])
def test_a_bad_idempotency_key_is_named(api, key_of, plumbing, lead_at, key):
    body = check_problem(api.reply(key_of(plumbing), lead_at(plumbing), headers={"Idempotency_Key": key}))
    assert body["errors"][0]["header"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "lead_id", ["x", "lead_", "lead_" + "z" * 26, "msg_" + "0" * 26, "lead_" + "0" * 26, "%00", "a" * 5000]
)
def test_a_malformed_id_names_nothing(api, key_of, plumbing, lead_id):
    body = check_problem(api.get(f"leads/{lead_id}", key_of(plumbing)), 404)
    assert body["code"] in ("lead.notFound", "resource.notFound")


@pytest.mark.parametrize("path", ["nothing", "leads/", "leads/x/y/z"])
def test_an_unknown_path_is_a_problem(api, path):
    check_problem(api.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_a_problem(api, key_of, plumbing, method):
    check_problem(api.call(method, "leads", key_of(plumbing), {}), 405)


@pytest.mark.parametrize("key", ["", "Bearer", "lwr_\x7f", "ключ", "x" * 10_000])
def test_a_strange_key_is_401_without_a_body(api, key):
    answer = api.get("whoami", key.encode().decode("latin-1"))
    assert (answer.status_code, answer.content) == (401, b"")


FORM_BODIES = {
    "NUL": b"name=a%00b",
    "lone surrogate": b"name=%ed%a0%80",
    "not UTF-8": b"name=%ff%fe",
    "too many fields": b"&".join(b"f%d=1" % number for number in range(101)),
    "long email": b"name=Ava&email=" + b"a" * 300 + b"%40example.net",
    "no email": b"email=nobody",
    "long message": b"message=" + b"x" * 20_001,
    "empty": b"&",
}


@pytest.mark.parametrize("body", FORM_BODIES.values(), ids=FORM_BODIES)
def test_a_bad_form_is_refused_with_its_field(client, plumbing, body):
    path, encoded = f"/forms/{plumbing.public_id}", "application/x-www-form-urlencoded"
    answer = client.post(path, body, content_type=encoded, headers={"Accept": "application/json"})
    assert check_problem(answer)["errors"]
    assert client.post(path, body, content_type=encoded).status_code == 400
    assert not Lead.objects.exists()


JSON_FORMS = [
    {"name": {"a": 1}}, {"email": ["x"]}, {"message": {"deep": {"er": 1}}}, {"extra": {"a": [1, 2, {"b": None}]}},
    {"first_name": 12}, {"_nonce": {"a": 1}, "name": "x"}, {"_next": ["x"], "name": "x"}, {"name": None, "x": None},
    {"_website": {"a": 1}}, {"f" * 5000: "x"},
]  # fmt: skip


@pytest.mark.parametrize("fields", JSON_FORMS, ids=lambda fields: json.dumps(fields)[:40])
def test_a_json_form_of_any_shape_is_taken_or_refused(client, plumbing, fields):
    answer = client.post(f"/forms/{plumbing.public_id}", json.dumps(fields), content_type="application/json")
    assert answer.status_code in (201, 400), answer.content


PAGE_QUERIES = [
    "/inbox/?cursor=%00", "/inbox/?cursor=W10", "/inbox/?state=%00&source=%00", "/inbox/?cursor=" + "x" * 3000,
    "/leads/?q=%00", "/leads/?cursor=x", "/sources/?q=%00&archived=%00", "/activity/?outcome=%00",
    "/leads/?q=" + "%f0%9f%98%80" * 200, "/sources/new/?parent=%00", "/inbox/?cursor=WyJ4IiwgInkiXQ",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGE_QUERIES)
def test_a_page_with_a_strange_query_still_answers(dana_client, plumbing, path):
    assert dana_client.get(path).status_code in (200, 302)


def test_text_of_a_page_that_cannot_be_stored_is_refused_in_the_form(dana_client, plumbing, lead_at):
    from conversations.models import Conversation

    lead_at(plumbing)
    path = f"/inbox/{Conversation.objects.get().public_id}/reply/"
    for text in ("a\x00b", "x" * 10_001, ""):
        assert dana_client.post(path, {"content": text}).status_code == 200
    assert dana_client.post("/sources/new/", {"name": "a\x00b", "time_zone": "UTC"}).status_code == 200
    assert Message.objects.count() == 1
