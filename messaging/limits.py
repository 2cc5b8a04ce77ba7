"""The limits that people choose for a connection: the provider's, or less."""

from __future__ import annotations

from dataclasses import asdict, replace

from messaging.accounts import account_as_configured
from messaging.base import Limits
from messaging.models import ChannelConnection, Pace
from messaging.registry import PROVIDERS

NAMES = {"per_second": "a second", "per_hour": "an hour", "per_day": "a day"}


def largest(connection: ChannelConnection) -> Limits:
    """Return what the provider allows. Raise NotSent when the account cannot be read."""
    return PROVIDERS[connection.provider].limits(account_as_configured(connection))


def chosen(connection: ChannelConnection) -> Limits:
    """Return the limits in force."""
    row = Pace.objects.filter(lane=connection.lane_id).first()
    return Limits(row.per_second, row.per_hour, row.per_day) if row else Limits()


def limit_errors(wanted: Limits, most: Limits) -> dict[str, str]:
    """Return what is wrong with wanted limits, by name."""
    errors = {}
    for name, unit in NAMES.items():
        value, most_of_it = getattr(wanted, name), getattr(most, name)
        if value is not None and value <= 0:
            errors[name] = "Give a number above 0."
        elif value is not None and most_of_it is not None and value > most_of_it:
            errors[name] = f"The provider takes at most {most_of_it:g} {unit} from this account."
    return errors


def set_limits(connection: ChannelConnection, wanted: Limits) -> None:
    """Keep to the wanted limits, and to the provider's where nothing smaller is wanted."""
    most = largest(connection)
    for name in NAMES:
        values = [value for value in (getattr(wanted, name), getattr(most, name)) if value is not None]
        wanted = replace(wanted, **{name: min(values, default=None)})
    if wanted == Limits():
        Pace.objects.filter(lane=connection.lane_id).delete()
    else:
        Pace.objects.update_or_create(lane_id=connection.lane_id, defaults=asdict(wanted))
