"""Mailboxes where one signs in (OAuth 2.0): consent, tokens that are renewed in time, and permissions that end."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import connection as database
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.models import AuditEntry
from conversations.models import Message
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.sending import _send
from messaging.accounts import account_of
from messaging.failures import NotSent
from messaging.models import ChannelConnection, GoogleAccount, InboundMail
from messaging.services import disconnect
from messaging.trying import check
from tests.support.due import claim_of, run_jobs
from tests.support.mailboxes import ADDRESS, is_watched, look, numbered, understand, until

pytestmark = pytest.mark.django_db
BEGIN, DONE = "/settings/channels/consent/google/", "/settings/channels/consent/google/done/"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def consent_at(url: str) -> str:
    """Say yes on the provider's page. Return the path to which the browser comes back."""
    try:
        urllib.request.build_opener(NoRedirect).open(url, timeout=10)
    except urllib.error.HTTPError as error:
        with error:
            return error.headers["Location"].removeprefix("http://localhost:8000")
    raise AssertionError("it did not send the browser back")


@pytest.fixture
def sign_in(google, dana_client, plumbing):
    """Go the whole way in the browser. Return the last answer."""

    def go(begin: str = BEGIN, **more: str):
        form = {"name": "Sales", "source": plumbing.pk, "first_days": "", **more}
        return dana_client.get(consent_at(dana_client.post(begin, form)["Location"]))

    return go


@pytest.fixture
def mailbox(sign_in) -> ChannelConnection:
    answer = sign_in()
    assert not said(answer)
    connection = ChannelConnection.objects.get(provider="google")
    assert answer["Location"] == f"/settings/channels/{connection.pk}/"
    return connection


def ends_in(connection: ChannelConnection, **time: int) -> None:
    GoogleAccount.objects.filter(pk=connection.pk).update(expires_at=timezone.now() + timedelta(**time))


def said(answer) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def again(connection: ChannelConnection) -> ChannelConnection:
    return ChannelConnection.objects.get(pk=connection.pk)


def test_a_mailbox_is_connected_by_signing_in(mailbox, google, plumbing):
    assert (mailbox.own_address, mailbox.name, mailbox.source_id) == (ADDRESS, "Sales", plumbing.pk)
    assert mailbox.last_check["ok"], mailbox.last_check
    assert "Both servers take" in mailbox.last_check["detail"]
    assert google.asked[0]["code_verifier"]


def test_mail_comes_and_goes_with_tokens(mailbox, imap_server, token_smtp, eastgate, lead_at):
    look(mailbox)
    imap_server.put(*numbered(1))
    look(mailbox)
    assert [message.content for message in understand()] == ["Mail 1"]
    message = send_reply(
        lead_id=Message.objects.get().lead_id, reply=Reply("We come."), author=Author(Message.Author.STAFF, "Dana")
    )
    _send(claim_of(message))
    assert token_smtp.wait(1)[0]["From"] == f"Sales <{ADDRESS}>"


@pytest.mark.django_db(transaction=True)
def test_it_is_watched_like_any_other(mailbox, imap_server, watched):
    until(lambda: is_watched(mailbox))
    imap_server.put(*numbered(1))
    until(lambda: InboundMail.objects.count() == 1)


def test_a_token_is_renewed_before_it_ends(mailbox, google):
    before = account_of(again(mailbox)).settings["access_token"]
    assert len(google.access_tokens) == 1
    ends_in(mailbox, minutes=4)
    after = account_of(again(mailbox)).settings["access_token"]
    assert (before, after) == tuple(google.access_tokens)
    assert account_of(again(mailbox)).settings["access_token"] == after
    assert check(connection=mailbox, actor=SYSTEM)["ok"]


@pytest.mark.django_db(transaction=True)
def test_one_process_renews_and_the_others_go_on(mailbox, google):
    """A refresh token is good for one use: whoever used it a second time would end the permission."""
    old = google.access_tokens[-1]
    ends_in(mailbox, minutes=4)
    google.wait = threading.Event()
    tokens: list[str] = []

    def ask() -> None:
        tokens.append(account_of(again(mailbox)).settings["access_token"])
        database.close()

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(0.5)
    google.wait.set()
    for thread in threads:
        thread.join(10)
    assert len(google.asked) == 2  # the code, and one renewal
    assert sorted(tokens) == sorted([old] * 4 + [google.access_tokens[-1]])


def test_a_provider_that_is_down_ends_nothing(mailbox, google):
    ends_in(mailbox, seconds=-1)
    google.answers = [(500, {}), (503, {"error": "temporarily_unavailable"})]
    for _ in range(2):
        with pytest.raises(NotSent) as refused:
            account_of(again(mailbox))
        assert not refused.value.is_permanent
    assert account_of(again(mailbox)).settings["access_token"] == google.access_tokens[-1]
    assert again(mailbox).is_connected


def test_a_permission_that_ended_disconnects_and_tells_those_who_can_mend_it(
    mailbox, google, dana_client, mail_server, sign_in
):
    ends_in(mailbox, seconds=-1)
    google.refresh_token = "taken back"
    with pytest.raises(NotSent, match="ended the permission"):
        account_of(again(mailbox))
    assert not again(mailbox).is_connected
    row = GoogleAccount.objects.get()
    assert (row.access_token, row.refresh_token) == (None, None)
    run_jobs()
    letter = mail_server.mails[-1]
    assert (letter["To"], letter["Subject"]) == ("dana@example.com", f"The mailbox {ADDRESS} is disconnected")
    page = dana_client.get(f"/settings/channels/{mailbox.pk}/").content.decode()
    assert "Connect the mailbox again." in page
    sign_in(f"/settings/channels/{mailbox.pk}/consent/")
    assert again(mailbox).is_connected
    assert account_of(again(mailbox)).settings["access_token"] == google.access_tokens[-1]
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"channel.add", "channel.disconnect", "channel.connect"} <= actions


@pytest.mark.django_db(transaction=True)
def test_an_old_answer_does_not_end_a_new_permission(mailbox, google, sign_in):
    ends_in(mailbox, seconds=-1)
    google.wait = threading.Event()
    failures: list[NotSent] = []

    def ask() -> None:
        try:
            account_of(again(mailbox))
        except NotSent as failure:
            failures.append(failure)
        database.close()

    asking = threading.Thread(target=ask)
    asking.start()
    while len(google.asked) < 2:
        asking.join(0.05)
    late, google.wait = google.wait, None
    sign_in(f"/settings/channels/{mailbox.pk}/consent/")
    late.set()  # the old refresh token is good for nothing by now
    asking.join(10)
    assert again(mailbox).is_connected
    assert account_of(again(mailbox)).settings["access_token"] == google.access_tokens[-1]
    assert [failure.is_permanent for failure in failures] == [False]


def test_disconnecting_forgets_each_token(mailbox, actor):
    disconnect(connection=mailbox, actor=actor)
    row = GoogleAccount.objects.get()
    assert (row.refresh_token, row.access_token, row.expires_at) == (None, None, None)


def test_another_mailbox_does_not_take_its_place(mailbox, google, sign_in):
    google.address = "private@example.net"
    answer = sign_in(f"/settings/channels/{mailbox.pk}/consent/")
    assert "You signed in as private@example.net" in said(answer)
    assert account_of(again(mailbox)).settings["access_token"] != google.access_tokens[-1]


def test_the_same_mailbox_is_not_connected_twice(mailbox, sign_in):
    assert "connected already" in said(sign_in())
    assert ChannelConnection.objects.filter(provider="google").count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"code": ""},
        {"code": "made up"},
        {"error": "access_denied", "code": ""},
    ],
)
def test_a_forged_way_back_connects_nothing(google, dana_client, plumbing, change):
    to = dana_client.post(BEGIN, {"name": "Sales", "source": plumbing.pk})["Location"]
    back = consent_at(to)
    query = dict(part.split("=") for part in back.partition("?")[2].split("&")) | change
    answer = dana_client.get(DONE, query)
    assert answer["Location"] == "/settings/channels/"
    assert said(answer)
    assert not ChannelConnection.objects.filter(provider="google").exists()
    dana_client.get(back)  # nor by the right one afterwards: it counts once
    assert not ChannelConnection.objects.filter(provider="google").exists()


def test_somebody_elses_browser_does_not_end_my_sign_in(google, dana_client, eve, client, plumbing):
    """Else a stranger could have their own mailbox connected by a link that they send (RFC 6749, 10.12)."""
    client.force_login(eve)
    back = consent_at(dana_client.post(BEGIN, {"name": "Sales", "source": plumbing.pk})["Location"])
    assert "not begun here" in said(client.get(back))
    assert not ChannelConnection.objects.filter(provider="google").exists()


def test_a_provider_that_gives_nothing_lasting_is_refused(google, sign_in):
    google.answers = [(200, {"access_token": "x", "expires_in": 3600})]
    assert "does not say whose mailbox" in said(sign_in())
    assert not ChannelConnection.objects.filter(provider="google").exists()


def test_a_sign_in_takes_a_quarter_of_an_hour(google, dana_client, plumbing, monkeypatch):
    back = consent_at(dana_client.post(BEGIN, {"name": "Sales", "source": plumbing.pk})["Location"])
    monkeypatch.setattr("messaging.views.consent.CONSENT_SECONDS", 0)
    assert "too long ago" in said(dana_client.get(back))


def test_it_is_offered_only_where_it_is_set_up(dana_client, google, settings):
    page = dana_client.get("/settings/channels/").content.decode()
    assert "Email by Google" in page
    assert "Microsoft" not in page
    assert dana_client.get("/settings/channels/consent/microsoft/").status_code == 404
    assert dana_client.get("/settings/channels/new/?provider=google")["Location"] == BEGIN
    form = dana_client.get(BEGIN)
    assert f"form-action 'self' {google.url}" in form["Content-Security-Policy"]


def test_the_api_tells_that_one_has_to_sign_in(mailbox, api, dana, actor):
    from accounts.models import Membership
    from api.services import make_token

    creator = Membership.objects.get(user=dana)
    token = make_token(creator=creator, actor=actor, name="X", scopes=["channels:write"])[1]
    path = f"messaging-channel-connections/{mailbox.pk}"
    for body, pointer in (
        ({"email_address": "x@example.net"}, "#/email_address"),
        ({"settings": {"refresh_token": "x"}}, "#/settings/refresh_token"),
    ):
        answer = api.call("PATCH", path, token, body)
        assert answer.json()["errors"][0]["pointer"] == pointer
    shown = api.get(path, token).content.decode()
    for secret in GoogleAccount.objects.values_list("refresh_token", "access_token").get():
        assert secret.reveal() not in shown
