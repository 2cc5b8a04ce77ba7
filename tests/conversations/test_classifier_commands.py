"""The commands by which somebody measures the rules, and takes out what people corrected."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Actor
from conversations.models import ReceivedReply
from conversations.services.received_replies import correct
from leads.models import Lead
from supervisor.stack import ROOT
from tests.support.mails import mail, reply_address

DEV = ROOT.parent / "shared" / "data" / "dev"


def evaluate(path) -> str:
    out = StringIO()
    call_command("evaluate_classifier", str(path), stdout=out)
    return out.getvalue()


def test_it_prints_what_is_mistaken_for_what(tmp_path):
    rows = [
        {"text": "Please stop writing to me.", "label": "unsubscribe", "lang": "en"},
        {"text": "Kein Interesse, danke.", "label": "not_interested", "lang": "de"},
        {"text": "The key is under the mat.", "label": "interested", "lang": "en"},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = evaluate(tmp_path / "rows.jsonl").splitlines()
    assert lines[1].split() == ["interested", "0", "0", "0", "0", "0", "1"]
    assert "unsubscribe".ljust(16) + "100%".rjust(12) + "100%".rjust(12) + "1".rjust(8) in lines
    assert lines[-1].split() == ["en", "1", "of", "2", "50%"]


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"text": "x", "label": "happy"}', '{"label": "none"}', "\udcff"]
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text):
    (tmp_path / "bad.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CommandError):
        evaluate(tmp_path / "bad.jsonl")


@pytest.mark.skipif(not DEV.exists(), reason="the shared replies (data/dev) are not beside this checkout")
def test_of_real_replies_nearly_all_are_understood():
    out = evaluate(DEV / "intent_crowd.jsonl")
    label = next(line.split() for line in out.splitlines() if line.startswith("unsubscribe") and "%" in line)
    assert label[2] == "100%", "recall"
    assert "en                 64 of   64  100%" in out


@pytest.mark.django_db
def test_corrections_come_out_as_rows_to_measure_with(receive, address_of, eastgate, lead_at, api, key_of, dana):
    lead_at(eastgate, "ava@example.net")
    answer = api.reply(key_of(eastgate), Lead.objects.get())
    assert answer.status_code == 201
    conversation = Lead.objects.get().conversations.get()
    receive(address_of(eastgate), mail("The key is under the mat.", Message_ID="<2@x>"), to=reply_address(conversation))
    reply = ReceivedReply.objects.get()
    for label in ("not_interested", "interested"):
        correct(reply=reply, label=label, actor=Actor("Dana", dana))
    out = StringIO()
    call_command("export_corrections", stdout=out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"text": "The key is under the mat.", "label": "interested", "said": "none"}
    ]
