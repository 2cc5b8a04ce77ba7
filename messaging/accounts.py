"""Accounts at providers: from rows to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from core.secrets import Secret, Unreadable
from messaging.base import Account, Setting
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.oauth.tokens import access_token_of
from messaging.registry import PROVIDERS


def account_row(connection: ChannelConnection) -> Any:
    """Return the row of a connection's account, a new one where there is none yet."""
    try:
        return getattr(connection, connection.provider)
    except ObjectDoesNotExist:
        model: Any = ChannelConnection._meta.get_field(connection.provider).related_model
        return model(connection=connection)


ENTER_AGAIN = "Enter it again: what is stored is not sent to another server."


def secrets_to_enter_again(connection: ChannelConnection, settings: Mapping[str, str]) -> list[Setting]:
    """Return the secrets that are missing because they would go to another server than the one they were entered for.

    Else whoever may configure could read them at a server of their own.
    """
    row, known = account_row(connection), PROVIDERS[connection.provider].settings
    servers = [setting.name for setting in known if setting.is_server]
    if not any(settings.get(name) and settings[name].lower() != getattr(row, name).lower() for name in servers):
        return []
    return [setting for setting in known if setting.is_secret and not settings.get(setting.name)]


def missing_secrets(connection: ChannelConnection) -> list[Setting]:
    """Return the secrets without which nobody may be believed, and nothing sent: they went with a disconnection."""
    settings = PROVIDERS[connection.provider].settings
    needed = [setting for setting in settings if setting.is_secret and setting.is_required]
    row = account_row(connection) if needed else None
    return [setting for setting in needed if not getattr(row, setting.name)]


def account_of(connection: ChannelConnection) -> Account:
    """Return a connection's account as its provider uses it.

    Raise NotSent when a secret cannot be read, or when nobody is signed in.
    """
    account = account_as_configured(connection)
    if not PROVIDERS[connection.provider].needs_consent:
        return account
    token = access_token_of(account_row(connection))
    return replace(account, settings={**account.settings, "access_token": token})


def account_as_configured(connection: ChannelConnection) -> Account:
    """Return a connection's account without signing in: enough to say what it allows. Raise NotSent as above."""
    provider = PROVIDERS[connection.provider]
    row = account_row(connection) if provider.settings else None
    values = {}
    for setting in provider.settings:
        value = getattr(row, setting.name)
        try:
            values[setting.name] = value.reveal() if isinstance(value, Secret) else (value or "")
        except Unreadable as error:
            detail = f"{setting.label} cannot be read any more. Enter it again."
            raise NotSent("channel.failed", detail, is_permanent=False) from error
    return Account(connection.address, {**values, **provider.fixed_settings()}, connection.callback_url)
