"""What no library does for us, held against a model or an independent checker."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from api.parsers import parse_json
from core.ids import decode, encode, first_id, uuid7
from core.keyset import _read_id, _write
from core.partitions import month_start
from core.problems import Invalid
from core.secrets import is_well_formed, make_key, make_signing_secret
from supervisor.stack import ROOT
from webhooks.delivery.schedule import GAPS, JITTER, MAX_ATTEMPTS, RETRY_AFTER_MAX, next_try, parse_retry_after
from webhooks.signing import is_signed, sign, signature_header

VECTORS = ROOT.parent / "shared" / "data" / "dev" / "signature_vectors.jsonl"
now = datetime.now(UTC)


@given(st.uuids())
def test_an_id_survives_its_way_outside(value):
    assert decode("lead", encode("lead", value)) == value


@given(st.uuids(), st.uuids())
def test_outside_ids_sort_like_inside_ones(one, other):
    assert (encode("x", one) < encode("x", other)) == (one < other)


@given(st.text(max_size=40))
def test_no_text_breaks_the_decoder(text):
    decoded = decode("lead", text)
    assert decoded is None or encode("lead", decoded) == text


def test_a_new_id_is_a_uuid_of_version_7_of_now():
    identifier = uuid7()
    assert (identifier.version, identifier.variant) == (7, RFC_4122)
    assert abs((identifier.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 5


@given(st.integers(2020, 2100), st.integers(1, 12))
def test_months_meet_without_a_gap(year, month):
    start, end = month_start(year, month), month_start(year, month + 1)
    assert start < end
    assert first_id(start) <= uuid7(start) < first_id(end)
    assert first_id(start) <= uuid7(end - timedelta(milliseconds=1)) < first_id(end)


@given(st.sampled_from(["lwr_", "lws_", "lwa_", "lwd_"]), st.integers(4, 41), st.characters(codec="ascii"))
def test_a_key_with_one_wrong_character_is_refused(prefix, place, character):
    key = make_key(prefix)
    assert is_well_formed(key)
    if key[place] != character:
        assert not is_well_formed(key[:place] + character + key[place + 1 :])


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_key(text):
    assert not is_well_formed(text)


@given(st.binary(max_size=500).map(lambda raw: raw.decode("utf-8", "replace")))
def test_signatures_verify_with_the_libraries_receivers_use(body):
    secret, webhook_id, stamp = make_signing_secret(), "evt_01", int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, webhook_id=webhook_id, timestamp=stamp, body=json.dumps(body).encode()),
    }
    StandardWebhook(secret).verify(json.dumps(body), headers)
    SvixWebhook(secret).verify(json.dumps(body), headers)


def test_while_secrets_overlap_holders_of_either_verify():
    old, new, stamp = make_signing_secret(), make_signing_secret(), int(datetime.now(UTC).timestamp())
    header = signature_header([new, old], webhook_id="evt_01", timestamp=stamp, body=b"{}")
    headers = {"webhook-id": "evt_01", "webhook-timestamp": str(stamp), "webhook-signature": header}
    for secret in (old, new):
        StandardWebhook(secret).verify("{}", headers)
        assert is_signed(header, secret, webhook_id="evt_01", timestamp=stamp, body=b"{}")
    assert not is_signed(header, make_signing_secret(), webhook_id="evt_01", timestamp=stamp, body=b"{}")


@given(st.text())
def test_a_strange_signature_is_refused_politely(header):
    assert not is_signed(header, make_signing_secret(), webhook_id="evt_01", timestamp=1, body=b"{}")


@pytest.mark.skipif(not VECTORS.parent.exists(), reason="the shared vectors are not beside this checkout")
def test_the_published_vectors_hold():
    rows = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    ours = [row for row in rows if row["scheme"] == "standard-webhooks"]
    assert ours
    for row in ours:
        body = row["body"].encode()
        values = {"webhook_id": row["id"], "timestamp": int(row["timestamp"]), "body": body}
        assert is_signed(row["signature"], row["secret"], **values), row


@given(st.integers(1, 30))
def test_jitter_only_adds_and_the_schedule_ends(attempts):
    again = next_try(attempts)
    if attempts >= MAX_ATTEMPTS:
        assert again is None
    else:
        assert again is not None
        assert GAPS[attempts] <= again.after <= GAPS[attempts] * (1 + JITTER)


def test_the_schedule_is_that_of_the_contract():
    hours = sum(GAPS, timedelta()) / timedelta(hours=1)
    assert (len(GAPS), round(hours, 1)) == (10, 75.6)


@given(
    st.text(max_size=60)
    | st.integers(0, 10**12).map(str)
    | st.datetimes().map(lambda at: f"{at:%a, %d %b %Y %H:%M:%S} GMT")
)
def test_any_retry_after_is_a_wait_within_bounds_or_nothing(text):
    wait = parse_retry_after(text, now)
    assert wait is None or timedelta(0) <= wait <= RETRY_AFTER_MAX


@given(st.integers(1, 86_400))
def test_a_receiver_that_asks_to_wait_is_never_called_earlier(seconds):
    again = next_try(3, retry_after=parse_retry_after(str(seconds), now))
    assert again is not None
    assert again.after >= timedelta(seconds=seconds)


storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | storable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4),
    max_leaves=20,
)


@given(plain_json)
def test_whatever_is_storable_is_parsed_as_it_is(value):
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_break_the_parser(body):
    with contextlib.suppress(Invalid):
        parse_json(body)


@given(st.uuids())
def test_a_cursor_names_its_row(pk):
    assert _read_id(_write(pk.hex)) == pk


@given(st.text(max_size=300))
def test_no_cursor_breaks_a_page(text):
    with contextlib.suppress(Invalid):
        _read_id(text)
