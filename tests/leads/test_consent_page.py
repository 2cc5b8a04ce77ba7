"""Settings, Consent: who gets nothing more, found, allowed, blocked, taken in and out."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditEntry
from leads.consent import opt_out
from leads.models import OptOut
from tests.support.people import log_in, person

pytestmark = pytest.mark.django_db
PAGE = "/settings/consent/"


def blocked() -> set[tuple[str, str]]:
    return set(OptOut.objects.in_force().values_list("address", "channel"))


def take(client, text: str | bytes, name: str = "stop.csv"):
    content = text.encode() if isinstance(text, str) else text
    return client.post(PAGE, {"take": "1", "table": SimpleUploadedFile(name, content)}, follow=True)


def test_what_leads_said_is_listed_and_lifted_with_a_line_in_the_audit_log(dana_client, lead_at, eastgate):
    row = opt_out(lead=lead_at(eastgate, "ava@example.net"), channel="email", reason=OptOut.Reason.STOP)
    page = dana_client.get(PAGE).content.decode()
    assert "ava@example.net" in page
    assert "Sent a STOP word" in page
    for _ in range(2):
        dana_client.post(f"{PAGE}{row.public_id}/lift/")
    assert blocked() == set()
    [line] = AuditEntry.objects.filter(action="consent.lift")
    assert line.actor == "Dana"
    assert "ava@" not in str([line.before, line.after, line.target]), "the log is kept for ever, an address is not"


def test_an_address_is_found_however_it_is_written(dana_client, northside):
    dana_client.post(PAGE, {"address": "Ava@Example.net", "channel": "email"})
    dana_client.post(PAGE, {"address": "+1 415 555 0101", "channel": "sms"})
    assert blocked() == {("ava@example.net", "email"), ("+14155550101", "sms")}
    for sought, other in (("AVA@example.net", "+14155550101"), ("+1 (415) 555-0101", "ava@example.net")):
        page = dana_client.get(PAGE, {"address": sought}).content.decode()
        assert "Allow again" in page
        assert other not in page
    assert "Not blocked" in dana_client.get(PAGE, {"address": "bo@example.net"}).content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "ava", "channel": "email"},
        {"address": "ava@example.net", "channel": "sms"},
        {"address": "", "channel": "email"},
        {"address": "ava@example.net", "channel": "website"},
        {"address": "ava@example.net\x00", "channel": "email"},
        {"address": "x" * 1_000_000, "channel": "email"},
    ],
)
def test_what_is_no_address_is_refused_in_the_form(dana_client, fields):
    page = dana_client.post(PAGE, fields)
    assert page.status_code in (200, 413)
    assert blocked() == set()


def test_a_table_goes_out_and_comes_in_again(dana_client, northside):
    done = take(dana_client, "address,channel\nava@example.net,\n+14155550101,SMS\nnobody,email\nx@y.example,fax\n")
    page = done.content.decode()
    assert "2 blocked, 0 were blocked already." in page
    assert "Row 4: “nobody” is not an email address." in page
    assert "Row 5:" in page
    before = blocked()
    answer = dana_client.get(f"{PAGE}table/")
    table = b"".join(answer.streaming_content).decode()
    assert table.splitlines()[0] == "address,channel,reason,since,by"
    assert "'+14155550101,sms,person," in table, "no cell is run as a formula"
    OptOut.objects.all().delete()
    assert "2 blocked" in take(dana_client, table).content.decode()
    assert blocked() == before


@pytest.mark.parametrize(
    "content",
    [
        b"address\n" + b"a" * 200_000,
        b"",
        b"email\nava@example.net\n",
        b"\xff\xfe\x00",
        "address\n\x00\n",
        b"x" * 1_000_001,
        "address\n" + "a@b.example\n" * 10_001,
    ],
    ids=["a long cell", "empty", "another column", "not UTF-8", "NUL", "too large", "too many rows"],
)
def test_a_file_that_is_no_such_table_blocks_nobody(dana_client, content):
    assert take(dana_client, content).status_code in (200, 413)
    assert blocked() == set()


def test_it_is_for_those_who_may_configure_the_whole_organization(northside, eastgate, lead_at, eve):
    row = opt_out(lead=lead_at(eastgate, "ava@example.net"), channel="email", reason=OptOut.Reason.STOP)
    limited = log_in(person("mia", northside, "manager", eastgate))
    agent = log_in(person("al", northside, "agent"))
    for client in (limited, agent):
        assert client.get(PAGE).status_code == 403
        assert client.get(f"{PAGE}table/").status_code == 403
        assert client.post(f"{PAGE}{row.public_id}/lift/").status_code == 403
    stranger = log_in(eve)
    assert "ava@example.net" not in stranger.get(PAGE).content.decode()
    assert stranger.post(f"{PAGE}{row.public_id}/lift/").status_code == 404
    assert blocked() == {("ava@example.net", "email")}


def test_of_an_erased_lead_only_that_somebody_is_blocked_is_shown(dana_client, northside, eastgate, lead_at, actor):
    from conversations.services.erasing import erase_lead

    lead = lead_at(eastgate, "ava@example.net")
    opt_out(lead=lead, channel="email", reason=OptOut.Reason.STOP)
    erase_lead(lead=lead, actor=actor)
    page = dana_client.get(PAGE).content.decode()
    assert "of an erased lead" in page
    assert "sha256" not in page
    assert "Allow again" in dana_client.get(PAGE, {"address": "ava@example.net"}).content.decode()
    assert len(list(dana_client.get(f"{PAGE}table/").streaming_content)) == 1
