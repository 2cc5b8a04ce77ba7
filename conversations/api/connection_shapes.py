"""What a connection looks like for those who manage it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from accounts.models import Source
from api.callers import Caller
from core.ids import encode, rfc3339
from core.secrets import MASK
from messaging.accounts import account_row
from messaging.email.signatures import mail_settings_of
from messaging.limits import chosen
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from messaging.services import counts_waiting


class CheckShown(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    title = serializers.CharField()
    detail = serializers.CharField()
    at = serializers.DateTimeField()


class PaceShown(serializers.Serializer[Any]):
    per_second = serializers.FloatField(allow_null=True)
    per_hour = serializers.IntegerField(allow_null=True)
    per_day = serializers.IntegerField(allow_null=True)


class ReadingShown(serializers.Serializer[Any]):
    read_at = serializers.DateTimeField(allow_null=True, help_text="When all mails that were there had been read.")
    failing_since = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)


class MailShown(serializers.Serializer[Any]):
    sender_name = serializers.CharField(help_text="Empty: the connection's name.")
    reply_to = serializers.CharField(help_text="Empty: answers come to us.")
    signature_text = serializers.CharField()
    signature_html = serializers.CharField()


class ConnectionDetails(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    messaging_channel_id = serializers.ChoiceField(choices=ChannelConnection.Kind.choices)
    provider = serializers.ChoiceField(choices=sorted(PROVIDERS))
    phone_number = serializers.CharField(help_text="Empty for email.")
    email_address = serializers.CharField(help_text="Empty for all but email.")
    settings = serializers.DictField(child=serializers.CharField(), help_text="Secrets are masked.")
    mail = MailShown(allow_null=True, help_text="Null for all but email.")
    pace = PaceShown()
    connected = serializers.BooleanField()
    source_id = serializers.CharField(help_text="Its home.")
    source_ids = serializers.ListField(child=serializers.CharField(), help_text="Those that use it themselves.")
    callback_url = serializers.CharField(help_text="Where the provider has to call.")
    last_check = CheckShown(allow_null=True)
    reading = ReadingShown(allow_null=True, help_text="How a mailbox is read; null where the provider calls us.")
    last_inbound_at = serializers.DateTimeField(allow_null=True)
    last_ok_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    waiting = serializers.IntegerField(help_text="Messages that wait to be sent.")


def details_json(connection: ChannelConnection, caller: Caller) -> dict[str, Any]:
    """Show a connection with those of its sources that the caller gets at."""
    row, lane = account_row(connection), connection.lane
    seen = connection.source_connections.filter(source__in=Source.objects.visible_to(caller))
    users = seen.order_by("pk").values_list("source_id", flat=True)
    return {
        "id": connection.pk,
        "name": connection.name,
        "messaging_channel_id": connection.kind,
        "provider": connection.provider,
        "phone_number": "" if connection.kind == "email" else connection.own_address,
        "email_address": connection.own_address if connection.kind == "email" else "",
        "settings": {
            setting.name: (MASK if getattr(row, setting.name) else "")
            if setting.is_secret
            else getattr(row, setting.name)
            for setting in PROVIDERS[connection.provider].settings
        },
        "mail": mail_json(connection) if connection.kind == "email" else None,
        "pace": asdict(chosen(connection)),
        "connected": connection.is_connected,
        "source_id": encode("src", connection.source_id),
        "source_ids": [encode("src", source_id) for source_id in users],
        "callback_url": connection.callback_url,
        "last_check": check_json(connection),
        "reading": reading_json(connection),
        "last_inbound_at": rfc3339(connection.last_inbound_at),
        "last_ok_at": rfc3339(lane.last_ok_at),
        "failing_since": rfc3339(lane.failing_since),
        "last_error": lane.last_error or None,
        "waiting": counts_waiting([connection]).get(connection.pk, 0),
    }


def mail_json(connection: ChannelConnection) -> dict[str, str]:
    row = mail_settings_of(connection)
    return {
        "sender_name": row.sender_name,
        "reply_to": row.reply_to,
        "signature_text": row.signature_text,
        "signature_html": row.signature_html,
    }


def reading_json(connection: ChannelConnection) -> dict[str, Any] | None:
    folder = getattr(connection, "folder", None)
    return folder and {
        "read_at": rfc3339(folder.read_at),
        "failing_since": rfc3339(folder.failing_since),
        "last_error": folder.last_error or None,
    }


def check_json(connection: ChannelConnection) -> dict[str, Any] | None:
    check: dict[str, Any] | None = connection.last_check
    return check and {name: check[name] for name in ("ok", "title", "detail", "at")}
