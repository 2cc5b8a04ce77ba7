"""What callers say of a connection: its address, the settings of its account, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.problems import Invalid
from core.text import pointer_part
from messaging.accounts import ENTER_AGAIN, secrets_to_enter_again
from messaging.addresses import read_address
from messaging.base import Limits, Provider
from messaging.forms import setting_error
from messaging.limits import largest, limit_errors
from messaging.models import ChannelConnection
from messaging.registry import CHANNELS

ADDRESS_FIELDS = {"phone": "phone_number", "email": "email_address"}  # by the kind of address that a channel has


def valid_address(provider: Provider, data: Mapping[str, Any]) -> str | None:
    """Return the account's address; None when there is none. Raise Invalid for the field of another kind."""
    kind = CHANNELS[provider.channel].address
    for other, field in ADDRESS_FIELDS.items():
        if other != kind and field in data:
            raise Invalid.at(f"#/{field}", f"Connections of {provider.slug} have {ADDRESS_FIELDS[kind]}.", "invalid")
    field = ADDRESS_FIELDS[kind]
    if provider.needs_consent and field in data:
        raise Invalid.at(f"#/{field}", "Its owner signs in with it. Connect another mailbox instead.", "invalid")
    return read_address_at(field, kind, data[field]) if field in data else None


def read_address_at(field: str, kind: str, text: str) -> str:
    """Return an address in its one form. Raise Invalid at the field."""
    try:
        return read_address(kind, text)
    except ValueError as error:
        raise Invalid.at(f"#/{field}", str(error), "invalid") from error


def valid_settings(provider: Provider, given: Mapping[str, str], *, partial: bool = False) -> dict[str, str]:
    """Return an account's settings. Raise Invalid, all errors at once. `partial`: what is left out stays."""
    known = {setting.name: setting for setting in provider.settings if not setting.is_granted}
    errors = [
        {"pointer": _place(name), "detail": "There is no such field.", "code": "unknown"}
        for name in given
        if name not in known
    ]
    for name, setting in known.items():
        text = given.get(name, "").strip()
        if setting.is_required and not text and (name in given or not partial):
            errors.append({"pointer": _place(name), "detail": "This field is required.", "code": "required"})
        elif error := setting_error(setting, text):
            errors.append({"pointer": _place(name), "detail": error, "code": "invalid"})
    if errors:
        raise Invalid(errors)
    return {name: text.strip() for name, text in given.items()}


def refuse_another_server(connection: ChannelConnection, settings: Mapping[str, str]) -> None:
    """Raise Invalid where stored secrets would go to another server."""
    missing = secrets_to_enter_again(connection, settings)
    if missing:
        raise Invalid(
            [{"pointer": _place(setting.name), "detail": ENTER_AGAIN, "code": "required"} for setting in missing]
        )


def valid_limits(connection: ChannelConnection, given: Mapping[str, Any]) -> Limits:
    """Return the limits of a connection. Raise Invalid for those above what the provider takes."""
    wanted = Limits(given.get("per_second"), given.get("per_hour"), given.get("per_day"))
    errors = limit_errors(wanted, largest(connection))
    if errors:
        raise Invalid([{"pointer": f"#/pace/{name}", "detail": text, "code": "max"} for name, text in errors.items()])
    return wanted


def _place(name: str) -> str:
    return f"#/settings/{pointer_part(name)}"
