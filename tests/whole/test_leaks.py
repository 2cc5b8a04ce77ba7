"""Every URL of the product x role x organization, made from the URLconf so that a new page cannot escape."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.actors import Actor
from accounts.models import Membership
from accounts.rights import Role
from api.models import ApiToken
from api.services import make_token
from conversations.models import Conversation, Message
from core.ids import encode
from inbox.models import SavedView
from outbox.models import Job
from tests.support.foreign import (
    SECRET,
    attachment_of,
    call_of,
    change_of,
    keep_secret_mail,
    number_of,
    opt_out_of,
    replay_of,
    saved_reply_of,
    template_of,
    webhook_of,
)
from tests.support.people import log_in, person
from webhooks.models import Delivery, Subscription, SubscriptionSecret

pytestmark = pytest.mark.django_db

# Django's and the library's own pages; the API has its own test; what is public by design.
OUTSIDE = ("admin/", "accounts/", "v1/", "healthz", "readyz", "demo/")
# The last five take keys and signatures: see test_mcp.py, test_twilio.py, test_esp.py and test_attachments.py.
PUBLIC = {
    "metrics", "form", "form-thanks", "unsubscribe", "mcp", "provider-call", "provider-mail",
    "file-by-link", "upload-by-link",
}  # fmt: skip


def patterns() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (name, route, parameters) of every page."""

    def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, str, list[str]]]:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            elif isinstance(pattern, URLPattern) and not route.startswith(OUTSIDE):
                yield pattern.name or route, route, list(pattern.pattern.converters)

    yield from walk(get_resolver(), "")


PAGES = sorted(patterns())


# What concerns the whole organization is refused before anything is looked up.
SAID_BEFORE = {
    "bulk-undo",
    "saved-reply",
    "saved-reply-delete",
    "member",
    "members",
    "token-revoke",
    "token-take-over",
    "consent-lift",
}


OF_ALL = {"saved-reply", "saved-reply-delete"}  # texts of the organization, for all who answer in it
OWN = {"conversation-unread"}  # what a viewer has read is theirs


def words_of(answer) -> str:
    return b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode()


def path_of(route: str, values: dict[str, str]) -> str:
    import re

    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], route)


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize(("name", "route", "parameters"), PAGES, ids=[name for name, *_ in PAGES])
def test_nobody_sees_or_does_anything_of_another_organization(
    client, northside, plumbing, foreign, name, route, parameters, role
):
    if name in PUBLIC:
        return
    member = log_in(person("mia", northside, role))
    before = _state()
    for call in (member.get, member.post):
        answer = call(path_of(route, foreign))
        assert SECRET not in words_of(answer), name
        if parameters:
            assert answer.status_code in (404, 405, 403), (name, answer.status_code)
            if answer.status_code == 403:  # a right that the role lacks, said before the thing is looked up
                assert name in SAID_BEFORE, name
    assert _state() == before


@pytest.mark.parametrize(("name", "route", "parameters"), PAGES, ids=[name for name, *_ in PAGES])
def test_every_page_but_the_public_form_asks_for_a_login(client, foreign, name, route, parameters):
    if name in PUBLIC:
        return
    answer = client.get(path_of(route, foreign))
    assert answer.status_code == 302, name
    assert answer["Location"].startswith("/accounts/login/"), name


@pytest.mark.parametrize("role", ["manager", "agent", "viewer"])
@pytest.mark.parametrize(("name", "route", "parameters"), PAGES, ids=[name for name, *_ in PAGES])
def test_a_limited_member_sees_nothing_of_the_other_sources(
    client, northside, plumbing, eastgate, westgate, lead_at, webhook_at, name, route, parameters, role, dana
):
    """The same over sources within one organization."""
    if name in PUBLIC | OF_ALL or "member_id" in parameters or "token_id" in parameters:
        return
    webhook_at(westgate, "http://127.0.0.1:9/hook")
    lead = lead_at(westgate, "secret@example.net", message=f"My secret {SECRET}", first_name=SECRET)
    mail_id = keep_secret_mail(lead)
    westgate.name = f"West {SECRET}"
    westgate.save()
    values = {
        "source_id": westgate.public_id,
        "lead_id": lead.public_id,
        "conversation_id": Conversation.objects.get(lead=lead).public_id,
        "message_id": Message.objects.get(lead=lead).public_id,
        "attachment_id": attachment_of(lead).public_id,
        "delivery_id": encode("dlv", Delivery.objects.get().pk),
        "call_id": encode("call", call_of(westgate).pk),
        "job_id": encode("job", replay_of(westgate).pk),
        "webhook_id": webhook_of(Membership.objects.get(user=dana), Actor(SECRET, dana)).public_id,
        "mail_id": mail_id,
        "opt_out_id": opt_out_of(lead).public_id,
        "built_in_id": str(westgate.connections.get(provider="installation").pk),
        "connection_id": str(number_of(westgate).pk),
        "template_id": str(template_of(westgate).pk),
        "view_id": SavedView.objects.create(organization=northside, owner=dana, name=SECRET).public_id,
        "change_id": change_of(dana, northside).public_id,
        "saved_id": saved_reply_of(northside, "Thanks").public_id,
        "slug": "rest-webhook",
        "provider": "google",
    }
    member = log_in(person("mia", northside, role, eastgate))
    for call in (member.get, member.post):
        answer = call(path_of(route, values))
        assert SECRET not in words_of(answer), name
        if parameters:
            refused = (403, 404, 405) if name in SAID_BEFORE else (404, 405)
            assert answer.status_code in refused, (name, answer.status_code)


WRITES = [page for page in PAGES if page[2] and page[0] not in PUBLIC]


@pytest.mark.parametrize(("name", "route", "parameters"), WRITES, ids=[name for name, *_ in WRITES])
def test_a_viewer_changes_nothing(northside, plumbing, lead_at, webhook_at, actor, dana, name, route, parameters):
    webhook_at(plumbing, "http://127.0.0.1:9/hook")
    lead = lead_at(plumbing)
    membership = Membership.objects.get(user=dana)
    token, _ = make_token(creator=membership, actor=actor, name="CRM", scopes=["leads:write"])
    values = {
        "source_id": plumbing.public_id,
        "lead_id": lead.public_id,
        "conversation_id": Conversation.objects.get().public_id,
        "message_id": Message.objects.get().public_id,
        "attachment_id": attachment_of(lead).public_id,
        "delivery_id": encode("dlv", Delivery.objects.get().pk),
        "call_id": encode("call", call_of(plumbing).pk),
        "job_id": encode("job", replay_of(plumbing).pk),
        "token_id": encode("tok", token.pk),
        "member_id": encode("mem", membership.pk),
        "webhook_id": webhook_of(membership, actor).public_id,
        "mail_id": keep_secret_mail(lead),
        "opt_out_id": opt_out_of(lead).public_id,
        "built_in_id": str(plumbing.connections.get(provider="installation").pk),
        "connection_id": str(number_of(plumbing).pk),
        "template_id": str(template_of(plumbing).pk),
        "view_id": SavedView.objects.create(organization=northside, owner=dana, name="Dana's").public_id,
        "change_id": change_of(dana, northside).public_id,
        "saved_id": saved_reply_of(northside, "Thanks").public_id,
        "slug": "rest-webhook",
        "provider": "google",
    }
    viewer = log_in(person("vic", northside, "viewer"))
    before = _state()
    answer = viewer.post(path_of(route, values))
    assert answer.status_code in ((302,) if name in OWN else (403, 404, 405)), (name, answer.status_code)
    assert _state() == before


def _state() -> list[object]:
    """Everything that a page could have changed."""
    from accounts.models import AuditEntry, Source
    from messaging.models import ChannelConnection, SourceConnection
    from webhooks.models import RestWebhook

    return [
        AuditEntry.objects.count(),
        Message.objects.count(),
        list(Conversation.objects.order_by("pk").values()),
        list(RestWebhook.objects.order_by("pk").values_list("enabled_at", "url", "last_check")),
        list(Source.objects.order_by("pk").values_list("archived_at", "name")),
        list(
            Subscription.objects.order_by("pk").values_list("enabled_at", "deleted_at", "url", "last_check", "creator")
        ),
        list(SubscriptionSecret.objects.order_by("pk").values_list("pk", "ends_at")),
        Job.objects.count(),
        list(ApiToken.objects.order_by("pk").values_list("revoked_at")),
        list(
            ChannelConnection.objects.order_by("pk").values_list("disconnected_at", "last_check", "removed_at", "name")
        ),
        list(SourceConnection.objects.order_by("pk").values_list("source", "connection", "default_at")),
        list(Membership.objects.order_by("pk").values_list("role", "removed_at")),
    ]


API_PATHS = [
    "leads/{lead}",
    "leads/{lead}/conversations",
    "conversations/{conversation}/messages",
    "messages/{message}",
    "messaging-channel-connections?lead_id={lead}",
    "messaging-channel-connections?source_id={source}",
]


@pytest.mark.parametrize("path", API_PATHS)
def test_what_is_another_organizations_reads_in_the_api_like_what_is_not_there(api, key_of, plumbing, foreign, path):
    key = key_of(plumbing)
    ids = {name.removesuffix("_id"): value for name, value in foreign.items()}
    missing = {name: value[:-4] + "0000" if "_" in value else value for name, value in ids.items()}
    theirs, nothing = (api.get(path.format(**values), key) for values in (ids, missing))
    assert theirs.status_code == nothing.status_code == 404
    assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}


def test_the_api_lists_nothing_of_others(api, key_of, plumbing, foreign, token):
    for key in (key_of(plumbing), token):
        for path in ("leads", "messaging-channel-connections", "whoami"):
            assert SECRET not in api.get(path, key).content.decode()
