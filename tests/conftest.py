"""The cast, and the real parts that tests talk to."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.actors import Actor
from accounts.models import Membership, Organization, Source, User
from api.base import Api as ApiView
from api.models import ApiToken
from api.refusals import codes_of
from api.services import make_token
from conversations.services.mail import read_mail
from conversations.services.sending import send_claimed
from conversations.webhook_bodies import render_bodies
from integrations import services as cards
from messaging.email.incoming import keep
from messaging.models import InboundMail
from messaging.stream import Dispatches
from outbox.streams import StreamThread
from sources.services import create_source
from tests.support.api import Api
from tests.support.consent import consent_server, google, token_imap, token_smtp  # noqa: F401
from tests.support.esp import _esp_process, aws, esp_calls, esp_server, ses_server  # noqa: F401
from tests.support.files import file_store, scanner  # noqa: F401
from tests.support.foreign import foreign  # noqa: F401
from tests.support.mailboxes import (  # noqa: F401
    imap_server,
    mailbox,
    mailbox_settings,
    smtp_account,
    watched,
)
from tests.support.people import WEBHOOK_SCOPES, log_in, person
from tests.support.product import running, stack  # noqa: F401
from tests.support.providers import (  # noqa: F401
    _meta_process,
    _twilio_process,
    meta_server,
    read_calls,
    sms,
    twilio_server,
    whatsapp,
)
from tests.support.receivers import mail_server, receiver  # noqa: F401
from webhooks.delivery.stream import Deliveries


def pytest_configure() -> None:
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # hundreds of people log in here
    settings.LEADWIRE_CALLS_PER_MINUTE = settings.LEADWIRE_CALLS_PER_HOUR = 10**6  # what tries the limit sets its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that need the whole product into one group, and those of each other file into one of their own.

    A group runs in one process. The product takes longest, so its group begins first.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group("product" if _needs_product(item) else item.path.name))
    items.sort(key=lambda item: not _needs_product(item))


def _needs_product(item: pytest.Item) -> bool:
    is_apart = {"processes", "browser"} & {marker.name for marker in item.iter_markers()}
    return bool(is_apart) or "running" in getattr(item, "fixturenames", ())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line what was left out, and why: a green run may have tried less than it could."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    said = "; ".join(f"{count} tests: {reason}" for reason, count in reasons.most_common())
    terminalreporter.write_line(f"Left out: {said or 'nothing'}.")


@pytest.fixture
def northside(db) -> Organization:
    return Organization.objects.create(name="Northside")


@pytest.fixture
def harbor(db) -> Organization:
    """The other organization: nothing of it may ever be seen, and it may see nothing."""
    return Organization.objects.create(name="Harbor Dental")


@pytest.fixture(scope="session", autouse=True)
def _hang_up_at_the_end(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Threads of the endpoint and the streams keep connections; the test database could not be dropped."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone()[0] == 0, "something deadlocked in these tests"
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def dana(northside) -> User:
    """Owner of Northside."""
    return person("dana", northside, "owner")


@pytest.fixture
def eve(harbor) -> User:
    """Owner of the other organization."""
    return person("eve", harbor, "owner")


@pytest.fixture
def actor(dana) -> Actor:
    return Actor("Dana", dana)


@pytest.fixture
def plumbing(northside, actor) -> Source:
    """A business."""
    return create_source(organization=northside, actor=actor, name="Northside Plumbing", external_id="north")


@pytest.fixture
def eastgate(northside, plumbing, actor) -> Source:
    """A location of the business."""
    return create_source(organization=northside, actor=actor, name="Eastgate", parent=plumbing)


@pytest.fixture
def westgate(northside, plumbing, actor) -> Source:
    return create_source(organization=northside, actor=actor, name="Westgate", parent=plumbing)


@pytest.fixture
def dental(harbor, eve) -> Source:
    """A business of the other organization."""
    return create_source(organization=harbor, actor=Actor("Eve", eve), name="Harbor Dental")


@pytest.fixture
def dana_client(dana) -> Client:
    return log_in(dana)


@pytest.fixture
def token(northside, dana) -> str:
    membership = Membership.objects.get(user=dana)
    scopes = [ApiToken.Scope.LEADS_WRITE.value]
    return make_token(creator=membership, actor=Actor("Dana", dana), name="CRM", scopes=scopes)[1]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def key_of(actor) -> Callable[[Source], str]:
    """Set a source's Lead Reply API up, turn it on, and return its key."""

    def make(source: Source, *, on: bool = True) -> str:
        key = cards.set_up(card=source.leadreplyapi, actor=actor).secrets["Secret key"]
        if on:
            cards.switch(card=source.leadreplyapi, on=True, actor=actor)
        return key

    return make


@pytest.fixture
def lead_at() -> Callable[..., Any]:
    """Make a lead with an open conversation by the website form."""
    from conversations.models import Message
    from conversations.services.forms import Submission, take_submission
    from leads.models import Lead
    from leads.services import Details

    def make(source: Source, email: str = "ava@example.net", message: str = "My tap leaks.", **details: str) -> Lead:
        told: dict[str, Any] = {"first_name": "Ava", "last_name": "Brooks", "email": email, **details}
        take_submission(source=source, submission=Submission(Details(**told), message))
        return Lead.objects.get(pk=Message.objects.filter(source=source).latest("id").lead_id)

    return make


@pytest.fixture
def webhooks_key(dana, actor) -> str:
    """An owner's token that may do everything with webhooks."""
    from api.services import make_token

    creator = Membership.objects.get(user=dana)
    return make_token(creator=creator, actor=actor, name="Ops", scopes=WEBHOOK_SCOPES)[1]


@pytest.fixture
def subscribe(api, webhooks_key) -> Callable[..., Any]:
    """Make a webhook of the organization by the API; return it as the API shows it."""

    def make(url: str, **fields: Any) -> Any:
        key = fields.pop("key", webhooks_key)
        wanted = {"name": "Warehouse", "url": url, "event_types": ["lead.created", "message.received"], **fields}
        answer = api.post("webhooks", key, wanted)
        assert answer.status_code == 201, answer.json()
        return answer.json()["data"]["webhook"]

    return make


@pytest.fixture
def worker(transactional_db) -> Iterator[None]:
    """Both streams, as the Celery worker runs them. Needs a database that other connections see."""
    threads = [
        StreamThread(lambda: Deliveries(20, render_bodies)),
        StreamThread(lambda: Dispatches(4, send_claimed)),
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.stop()


@pytest.fixture
def webhook_at(actor) -> Callable[..., dict[str, str]]:
    """Set a source's REST Webhook up with a URL, turn it on, and return its secrets."""

    def make(source: Source, url: str, *, on: bool = True, **settings: Any) -> dict[str, str]:
        fresh = cards.set_up(card=source.restwebhook, actor=actor, url=url, **settings)
        if on:
            source.restwebhook.refresh_from_db()
            cards.switch(card=source.restwebhook, on=True, actor=actor)
        return fresh.secrets

    return make


@pytest.fixture
def address_of():
    return lambda source: source.connections.get(provider="installation")


@pytest.fixture
def receive(db):
    """Keep and read one mail, as the mail listener and the job do."""

    def take(connection, raw: bytes, to: str = "", envelope_from: str | None = None) -> InboundMail:
        if envelope_from is None:  # as mail programs have it
            author = re.search(rb"^From:.{0,500}?([\w.+-]+@[\w.-]+)", raw, re.MULTILINE)
            envelope_from = author[1].decode("ascii", "replace") if author else ""
        to = to or connection.address
        inbound = keep(connection=connection, envelope_from=envelope_from, envelope_to=to, raw=raw)
        read_mail(inbound.pk)
        inbound.refresh_from_db()
        return inbound

    return take


@pytest.fixture(autouse=True)
def _refusals_are_documented(monkeypatch) -> None:
    """Whatever a test is about: what an operation refuses has a code that the document names for it."""
    handle = ApiView.handle_exception

    def check(view: ApiView, error: Exception) -> Any:
        answer = handle(view, error)
        if answer.status_code not in (401, 405, 500):
            code = json.loads(answer.content)["code"]
            assert code in codes_of(type(view), view.request.method, view.kwargs), f"{type(view).__name__}: {code}"
        return answer

    monkeypatch.setattr(ApiView, "handle_exception", check)
