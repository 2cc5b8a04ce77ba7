"""Real cases of public projects: signatures, and calls of WhatsApp."""

from __future__ import annotations

import json

import pytest

from messaging.call_parts import StatusUpdate
from messaging.meta import signature as meta_signature
from messaging.meta.reading import read_call
from messaging.twilio.signature import is_signed, is_signed_body
from supervisor.stack import ROOT

CASES = ROOT.parent / "shared" / "data" / "dev"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the shared cases (data/dev) are not beside this checkout")


def rows(name: str) -> list[dict]:
    """The rows of a file; none where the shared data is not beside this checkout. Where it is, the file has to be."""
    if not CASES.exists():
        return []
    return [json.loads(line) for line in (CASES / name).read_text().splitlines()]


@pytest.mark.parametrize("case", [row for row in rows("signature_vectors.jsonl") if row["scheme"] == "twilio"])
def test_twilios_signatures(case):
    if "body" in case:
        assert is_signed_body(case["url"], case["body"].encode(), case["signature"], case["secret"]) is case["valid"]
    else:
        parameters = [(name, value) for name, value in case["params"]]
        assert is_signed(case["url"], parameters, case["signature"], case["secret"]) is case["valid"]
        assert not is_signed(f"{case['url']}x", parameters, case["signature"], case["secret"])


@pytest.mark.parametrize(
    "case", [row for row in rows("signature_vectors.jsonl") if row["scheme"] == "x-hub-signature-256"]
)
def test_metas_signatures(case):
    body = case["body"].encode()
    assert meta_signature.is_signed(body, case["signature"], case["secret"]) is case["valid"]
    assert not meta_signature.is_signed(body + b" ", case["signature"], case["secret"])


@pytest.mark.parametrize("case", rows("whatsapp_updates.jsonl"), ids=lambda row: row["id"])
def test_calls_of_whatsapp(case):
    parts = read_call(json.dumps(case["payload"]).encode())
    assert len(parts) == 1
    kind = case["id"].partition("/")[0]
    assert isinstance(parts[0], StatusUpdate) is (kind == "message_status")
    if not isinstance(parts[0], StatusUpdate):
        assert parts[0].text or parts[0].files
