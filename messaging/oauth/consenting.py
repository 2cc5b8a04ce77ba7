"""What follows from a person's consent: a mailbox is connected, or connected again."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from accounts.actors import Actor
from accounts.models import Source
from core.problems import Refusal
from messaging.accounts import account_row
from messaging.base import Provider
from messaging.models import ChannelConnection
from messaging.oauth.servers import Tokens
from messaging.oauth.tokens import keep
from messaging.registry import PROVIDERS
from messaging.services import connect, record


@transaction.atomic
def connect_mailbox(
    *, source: Source, actor: Actor, provider: Provider, name: str, settings: Mapping[str, str], tokens: Tokens
) -> ChannelConnection:
    """Connect the mailbox that signed in. Raise Refusal when it is connected already, or allows nothing lasting."""
    _refuse_unless_lasting(provider, tokens)
    connection = connect(
        source=source, actor=actor, provider=provider, name=name, own_address=tokens.address, settings=settings
    )
    _keep(connection, tokens)
    return connection


@transaction.atomic
def renew_consent(*, connection: ChannelConnection, actor: Actor, tokens: Tokens) -> None:
    """Connect a mailbox again. Raise Refusal when another one signed in."""
    _refuse_unless_lasting(PROVIDERS[connection.provider], tokens)
    if tokens.address != connection.own_address:
        detail = f"You signed in as {tokens.address}. This connection is for {connection.own_address}."
        raise Refusal(409, "mailbox.otherAddress", detail)
    connection = ChannelConnection.objects.active().select_for_update(no_key=True).get(pk=connection.pk)
    connection.disconnected_at = connection.last_check = None
    connection.save(update_fields=["disconnected_at", "last_check"])
    _keep(connection, tokens)
    record(actor, "channel.connect", connection, before={"connected": False}, after={"connected": True})


def _refuse_unless_lasting(provider: Provider, tokens: Tokens) -> None:
    if not tokens.address:
        raise Refusal(409, "mailbox.noAddress", f"{provider.label} does not say whose mailbox this is.")
    if not tokens.refresh_token:
        detail = f"{provider.label} gave a permission that ends within the hour. Sign in again, and allow all it asks."
        raise Refusal(409, "mailbox.noLastingPermission", detail)


def _keep(connection: ChannelConnection, tokens: Tokens) -> None:
    row = account_row(connection)
    keep(row, tokens)
    row.renewing_at = None
    row.save()
