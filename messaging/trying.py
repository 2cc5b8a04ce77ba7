"""Try a connection: ask its provider, or send a test. How it went is kept on the connection, in words."""

from __future__ import annotations

from contextlib import suppress
from email.utils import make_msgid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from messaging.accounts import account_of
from messaging.base import Account, Outgoing, Provider
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.registry import CHANNELS
from messaging.services import provider_of, record
from messaging.template_lists import refresh as refresh_templates

TEST_WORDS = "This is a test from Leadwire: the connection works."


def check(*, connection: ChannelConnection, actor: Actor) -> dict[str, Any]:
    """Ask the provider whether it takes the credentials, and keep the answer on the connection."""
    return _keep_check(connection, actor, "channel.check", lambda provider, account: provider.check(account))


def send_test(*, connection: ChannelConnection, actor: Actor, to: str) -> dict[str, Any]:
    """Send a message to an address of the person's own, and keep how it went on the connection."""

    def send(provider: Provider, account: Account) -> str:
        provider.send(account, _test_message(connection, to))
        label = provider.label[0].upper() + provider.label[1:]
        return f"{label} took the message. Look whether it arrives."

    return _keep_check(connection, actor, "channel.test", send)


def _test_message(connection: ChannelConnection, to: str) -> Outgoing:
    if not CHANNELS[connection.kind].is_mail:
        return Outgoing(reference="test", to=to, text=TEST_WORDS)
    return Outgoing(
        reference="test",
        to=to,
        text=TEST_WORDS,
        html=f"<p>{TEST_WORDS}</p>",
        subject="A test from Leadwire",
        message_id=make_msgid("test", settings.MAIL_DOMAIN),
        sender_name=connection.name,
        sender_address=connection.address,
        reply_to=connection.address,
    )


def _keep_check(connection: ChannelConnection, actor: Actor, action: str, ask: Any) -> dict[str, Any]:
    """The provider is asked outside any transaction: it may take its time."""
    connection = ChannelConnection.objects.get(pk=connection.pk)  # as it is now, with its account
    provider = provider_of(connection)
    result: dict[str, Any] = {"at": timezone.now().isoformat()}
    if not connection.is_connected:
        result |= {"ok": False, "title": "Not connected.", "detail": "Enter the credentials first."}
    else:
        try:
            result |= {"ok": True, "title": "It works.", "detail": ask(provider, account_of(connection))}
        except NotSent as failure:
            result |= {"ok": False, "title": "It does not work yet.", "detail": failure.detail}
    if result["ok"] and CHANNELS[connection.kind].window:
        with suppress(NotSent):  # the list is asked for again within the hour
            refresh_templates(connection)
    with transaction.atomic():
        ChannelConnection.objects.filter(pk=connection.pk).update(last_check=result)
        record(actor, action, connection, after={"ok": result["ok"]})
    return result
