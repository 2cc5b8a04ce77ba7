"""What people do with channel connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Source
from core.problems import Refusal
from core.secrets import MASK, Secret
from messaging.accounts import account_row, missing_secrets, secrets_to_enter_again
from messaging.base import Limits, Provider
from messaging.limits import chosen, set_limits
from messaging.models import ChannelConnection, Dispatch, SourceConnection
from messaging.models.connections import ChannelConnectionQuerySet, make_callback_token, make_local_part
from messaging.registry import CHANNELS, PROVIDERS
from outbox.models import Lane

CONNECTIONS_MAX = 200  # of one organization, the built-in ones aside
ACCOUNT_IN_FLIGHT = 16  # calls at once; a mail server is spared more


def add_connections(source: Source) -> None:
    """Give a new source its mail address, which is its default, and its website form."""
    for provider, name, is_held in (("installation", source.name[:100], False), ("form", "Website form", True)):
        kind = PROVIDERS[provider].channel
        connection = ChannelConnection.objects.create(
            organization=source.organization,
            source=source,
            lane=_make_lane(source, is_held=is_held),  # a form only receives
            kind=kind,
            provider=provider,
            name=name,
            local_part="" if is_held else make_local_part(),
        )
        _assign(connection, source, is_default=not is_held)


def _make_lane(source: Source, *, is_held: bool = False, in_flight: int = Lane.IN_FLIGHT[Lane.Kind.CHANNEL]) -> Lane:
    return Lane.objects.create(
        kind=Lane.Kind.CHANNEL,
        organization_id=source.organization_id,
        max_in_flight=in_flight,
        held_at=timezone.now() if is_held else None,
    )


def _assign(connection: ChannelConnection, source: Source, *, is_default: bool) -> SourceConnection:
    return SourceConnection.objects.create(
        connection=connection,
        source=source,
        organization_id=source.organization_id,
        kind=connection.kind,
        default_at=timezone.now() if is_default else None,
    )


def provider_of(connection: ChannelConnection) -> Provider:
    return PROVIDERS[connection.provider]


@transaction.atomic
def connect(
    *,
    source: Source,
    actor: Actor,
    provider: Provider,
    name: str,
    own_address: str = "",
    settings: Mapping[str, str],
) -> ChannelConnection:
    """Connect an account at a provider. The source is its home and uses it at once.

    Raise Refusal `connection.tooMany`, or `connection.exists` for an address that is connected already.
    """
    _refuse_more(source, own_address)
    connection = ChannelConnection.objects.create(
        organization_id=source.organization_id,
        source=source,
        lane=_make_lane(source, in_flight=ACCOUNT_IN_FLIGHT),
        kind=provider.channel,
        provider=provider.slug,
        name=name,
        own_address=own_address,
        callback_token=make_callback_token(),
    )
    _store(connection, settings)
    set_limits(connection, Limits())
    use(connection=connection, source=source, actor=actor)
    record(actor, "channel.add", connection, after={"provider": provider.slug, "address": own_address})
    return connection


def _refuse_more(source: Source, own_address: str) -> None:
    rows = ChannelConnection.objects.active().filter(organization=source.organization_id)
    if rows.exclude(callback_token="").count() >= CONNECTIONS_MAX:
        raise Refusal(409, "connection.tooMany", f"An organization may have {CONNECTIONS_MAX} connections.")
    _refuse_taken(rows, own_address)


def _refuse_taken(rows: ChannelConnectionQuerySet, own_address: str) -> None:
    if own_address and rows.filter(own_address=own_address).exists():
        detail = "This address is connected already. Let the source use that connection."
        raise Refusal(409, "connection.exists", detail)


def _store(connection: ChannelConnection, settings: Mapping[str, str]) -> list[str]:
    """Write the settings of the account that are given. Return the names of those that changed."""
    provider = provider_of(connection)
    row, changed = account_row(connection), []
    for setting in secrets_to_enter_again(connection, settings):
        setattr(row, setting.name, None)
    for setting in provider.settings:
        text = settings.get(setting.name)
        if text is None or (setting.is_secret and not text):
            continue
        value = Secret.of(text) if setting.is_secret else text
        if setting.is_secret or getattr(row, setting.name) != value:
            setattr(row, setting.name, value)
            changed.append(setting.name)
    row.save()
    return changed


@transaction.atomic
def change(
    *,
    connection: ChannelConnection,
    actor: Actor,
    name: str | None = None,
    own_address: str | None = None,
    settings: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> ChannelConnection:
    """Change what is given. New credentials, all of them, connect a disconnected one again; its last check is void."""
    connection = _locked(connection)
    before = {"name": connection.name, "address": connection.own_address}
    if own_address is not None and own_address != connection.own_address:
        _refuse_taken(ChannelConnection.objects.active().filter(organization=connection.organization_id), own_address)
    connection.name = connection.name if name is None else name
    connection.own_address = connection.own_address if own_address is None else own_address
    changed = _store(connection, settings or {})
    if changed and not provider_of(connection).needs_consent:  # else somebody has to sign in
        connection.last_check = None
        connection.disconnected_at = connection.disconnected_at if missing_secrets(connection) else None
    connection.save(update_fields=["name", "own_address", "last_check", "disconnected_at"])
    set_limits(connection, chosen(connection) if limits is None else limits)
    after: dict[str, Any] = {"name": connection.name, "address": connection.own_address}
    after |= dict.fromkeys(changed, MASK)
    record(actor, "channel.change", connection, before=before, after=after)
    return connection


@transaction.atomic
def disconnect(*, connection: ChannelConnection, actor: Actor) -> None:
    """Send and take nothing more. An account's secrets are forgotten; a built-in connection can just be taken back."""
    connection = _locked(connection)
    if connection.disconnected_at:
        return
    connection.disconnected_at = timezone.now()
    connection.save(update_fields=["disconnected_at"])
    if provider_of(connection).settings:
        row = account_row(connection)
        for setting in provider_of(connection).settings:
            if setting.is_secret:
                setattr(row, setting.name, None)
        if provider_of(connection).needs_consent:
            row.access_token = row.expires_at = row.renewing_at = None
        row.save()
    record(actor, "channel.disconnect", connection, before={"connected": True}, after={"connected": False})


@transaction.atomic
def reconnect(*, connection: ChannelConnection, actor: Actor) -> None:
    """Take a built-in connection back into use. An account comes back with its credentials (`change`)."""
    connection = _locked(connection)
    if connection.disconnected_at and connection.is_built_in:
        connection.disconnected_at = None
        connection.save(update_fields=["disconnected_at"])
        record(actor, "channel.connect", connection, before={"connected": False}, after={"connected": True})


@transaction.atomic
def remove(*, connection: ChannelConnection, actor: Actor) -> None:
    """Disconnect for good: no source uses it any more, and it is in no list. Its messages stay.

    Raise Refusal `connection.builtIn` for what every source has.
    """
    if connection.is_built_in:
        raise Refusal(409, "connection.builtIn", "Every source has this one. Disconnect it instead.")
    disconnect(connection=connection, actor=actor)
    SourceConnection.objects.filter(connection=connection).delete()
    ChannelConnection.objects.filter(pk=connection.pk).update(removed_at=timezone.now(), callback_token="")
    record(actor, "channel.remove", connection)


@transaction.atomic
def use(*, connection: ChannelConnection, source: Source, actor: Actor, as_default: bool = False) -> None:
    """Let a source use a connection. The first of its kind is the source's default for that kind."""
    if source.organization_id != connection.organization_id or connection.removed_at:
        raise Refusal(404, "connection.notFound", "There is no such channel connection.")
    Source.objects.select_for_update(no_key=True).get(pk=source.pk)
    rows = SourceConnection.objects.filter(source=source, kind=connection.kind)
    known = rows.filter(connection=connection).first()
    others = rows.exclude(connection=connection)
    # A mailbox of the business comes before the mail address that every source has.
    becomes_default = (
        as_default or not others.filter(default_at__isnull=False).exclude(connection__callback_token="").exists()
    )
    if known and (known.default_at or not becomes_default):
        return
    if becomes_default:
        others.update(default_at=None)
    if known:
        rows.filter(pk=known.pk).update(default_at=timezone.now())
    else:
        _assign(connection, source, is_default=becomes_default)
    record(actor, "channel.use", connection, source=source, after={"default": becomes_default})


@transaction.atomic
def stop_using(*, connection: ChannelConnection, source: Source, actor: Actor) -> None:
    """Let a source use a connection no more. Its oldest other one of the kind becomes the default."""
    if connection.is_built_in:
        raise Refusal(409, "connection.builtIn", "Every source has this one. Disconnect it instead.")
    Source.objects.select_for_update(no_key=True).get(pk=source.pk)
    rows = SourceConnection.objects.filter(source=source, kind=connection.kind)
    if not rows.filter(connection=connection).delete()[0]:
        return
    if not rows.filter(default_at__isnull=False).exists() and (other := rows.order_by("connection_id").first()):
        rows.filter(pk=other.pk).update(default_at=timezone.now())
    record(actor, "channel.stop_using", connection, source=source)


def counts_waiting(connections: Iterable[ChannelConnection]) -> dict[int, int]:
    """How many messages wait for each connection."""
    lanes = {connection.lane_id: connection.pk for connection in connections}
    rows = Dispatch.objects.filter(lane__in=lanes).values("lane").annotate(count=Count("pk"))
    return {lanes[row["lane"]]: row["count"] for row in rows}


def _locked(connection: ChannelConnection) -> ChannelConnection:
    return ChannelConnection.objects.select_for_update(no_key=True).get(pk=connection.pk)


def record(
    actor: Actor,
    action: str,
    connection: ChannelConnection,
    *,
    source: Source | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """One line of the audit log, in the transaction of the change; secrets are masked."""
    label = CHANNELS[connection.kind].label
    actor.record(
        action,
        organization=connection.organization_id,
        target=f"{label} {connection.name}" + (f" at {source}" if source else ""),
        source_id=source.pk if source else connection.source_id,
        before=before,
        after=after,
    )
