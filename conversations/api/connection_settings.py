"""Manage channel connections: what the settings page does, for programs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Source
from api.base import IDEMPOTENCY, Api, actor_of, caller_of, id_of, read_body, read_query
from api.fields import StrictBoolean, StrictString, WholeObject
from api.idempotency import answer_once
from api.schema import enveloped
from conversations.api.connection_input import (
    ADDRESS_FIELDS,
    read_address_at,
    refuse_another_server,
    valid_address,
    valid_limits,
    valid_settings,
)
from conversations.api.connection_shapes import CheckShown, ConnectionDetails, check_json, details_json
from core.problems import Invalid, NotFound
from messaging import services, trying
from messaging.addresses import is_email, normalize_email
from messaging.email.signatures import HTML_MAX, TEXT_MAX, change_mail_settings
from messaging.models import ChannelConnection
from messaging.registry import CHANNELS, PROVIDERS

CONNECTION = enveloped("messaging_channel_connection", ConnectionDetails, many=False)
# A mailbox whose owner has to sign in is connected in the browser.
PROVIDER_CHOICES = [
    provider.slug for provider in PROVIDERS.values() if not provider.is_built_in and not provider.needs_consent
]


class PaceInput(WholeObject):
    per_second = serializers.FloatField(required=False, allow_null=True, min_value=0.001, max_value=10_000)
    per_hour = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=10**9)
    per_day = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=10**9)


class MailInput(serializers.Serializer[Any]):
    sender_name = StrictString(max_length=100, required=False, allow_blank=True)
    reply_to = StrictString(max_length=254, required=False, allow_blank=True, help_text="Empty: answers come to us.")
    signature_text = StrictString(max_length=TEXT_MAX, required=False, allow_blank=True, trim_whitespace=False)
    signature_html = StrictString(
        max_length=HTML_MAX, required=False, allow_blank=True, help_text="Scripts and forms are taken out."
    )

    def validate_reply_to(self, reply_to: str) -> str:
        if reply_to and not is_email(normalize_email(reply_to)):
            raise serializers.ValidationError("This is not an email address.")
        return normalize_email(reply_to)


class ConnectionFields(serializers.Serializer[Any]):
    name = StrictString(max_length=100)
    phone_number = StrictString(
        max_length=30, required=False, help_text="That leads see, with its country code. Not for email."
    )
    email_address = StrictString(max_length=254, required=False, help_text="That leads see. For email only.")
    settings = serializers.DictField(
        child=StrictString(max_length=2_000, allow_blank=True),
        help_text="Of the account at the provider. Secrets go in and never come out.",
    )


class ConnectionChanges(ConnectionFields):
    mail = MailInput(required=False, help_text="Of email: whom it is from, where answers go, how it ends.")
    pace = PaceInput(required=False, help_text="The most messages in a time; null is the provider's own limit.")


class ConnectionInput(ConnectionFields):
    provider = serializers.ChoiceField(choices=PROVIDER_CHOICES)
    source_id = StrictString(help_text="Its home: it uses the connection at once, and new leads arrive there.")


def create_connection(request: Request) -> Response:
    """Connect an account. The answer says at which address the provider has to call."""
    data = read_body(request, ConnectionInput)
    provider = PROVIDERS[data["provider"]]
    own_address = valid_address(provider, data)
    if not own_address:
        raise Invalid.at(
            f"#/{ADDRESS_FIELDS[CHANNELS[provider.channel].address]}", "This field is required.", "required"
        )
    settings = valid_settings(provider, data["settings"])
    source = _source(request, data["source_id"])
    if source is None:
        raise Invalid.at("#/source_id", "There is no such source.", "notFound")

    def connect() -> Response:
        connection = services.connect(
            source=source,
            actor=actor_of(request),
            provider=provider,
            name=data["name"],
            own_address=own_address,
            settings=settings,
        )
        return _shown(request, connection, 201, {"Location": f"/v1/messaging-channel-connections/{connection.pk}"})

    return answer_once(request, connect)


class ConnectionApi(Api):
    scopes = {"GET": "channels:write", "PATCH": "channels:write", "DELETE": "channels:write"}
    refusals = {"PATCH": ("connection.exists",)}

    @extend_schema(operation_id="get_channel_connection", responses=CONNECTION, tags=["Channels"])
    def get(self, request: Request, connection_id: str) -> Response:
        read_query(request, serializers.Serializer)
        return _shown(request, _load(request, connection_id))

    @extend_schema(
        operation_id="update_channel_connection", request=ConnectionChanges, responses=CONNECTION, tags=["Channels"]
    )
    def patch(self, request: Request, connection_id: str) -> Response:
        """Fields and settings that are left out stay. New credentials connect a disconnected one again."""
        connection = _load(request, connection_id)
        data = read_body(request, ConnectionChanges, partial=True)
        if "settings" in data:
            data["settings"] = valid_settings(PROVIDERS[connection.provider], data["settings"], partial=True)
            refuse_another_server(connection, data["settings"])
        own_address = valid_address(PROVIDERS[connection.provider], data)
        changes = {name: data[name] for name in ("name", "settings") if name in data}
        limits = valid_limits(connection, data.pop("pace")) if "pace" in data else None
        mail = data.get("mail")
        if mail and connection.kind != "email":
            raise Invalid.at("#/mail", "Only connections for email have this.", "invalid")
        services.change(
            connection=connection, actor=actor_of(request), own_address=own_address, limits=limits, **changes
        )
        if mail:
            change_mail_settings(connection=connection, actor=actor_of(request), values=mail)
        return _shown(request, _load(request, connection_id))

    @extend_schema(operation_id="remove_channel_connection", responses={204: None}, tags=["Channels"])
    def delete(self, request: Request, connection_id: str) -> Response:
        """Disconnects it, forgets its secrets, and takes it from its sources. Messages stay."""
        services.remove(connection=_load(request, connection_id), actor=actor_of(request))
        return Response(status=204)


class ConnectionCheckApi(Api):
    scopes = {"POST": "channels:write"}

    @extend_schema(
        operation_id="check_channel_connection",
        parameters=[IDEMPOTENCY],
        request=None,
        responses=enveloped("check", CheckShown, many=False),
        tags=["Channels"],
    )
    def post(self, request: Request, connection_id: str) -> Response:
        """Asks the provider whether it takes the credentials."""
        connection = _load(request, connection_id)
        trying.check(connection=connection, actor=actor_of(request))
        return answer_once(request, lambda: _checked(_load(request, connection_id)))


class ConnectionTestApi(Api):
    scopes = {"POST": "channels:write"}

    class TestInput(serializers.Serializer[Any]):
        to = StrictString(max_length=254, help_text="A phone number or a mail address of your own.")

    @extend_schema(
        operation_id="test_channel_connection",
        parameters=[IDEMPOTENCY],
        request=TestInput,
        responses={202: inline_serializer("TestSent", {"status": serializers.CharField()})},
        tags=["Channels"],
    )
    def post(self, request: Request, connection_id: str) -> Response:
        """Sends a short message to a phone or a mailbox of your own. `last_check` at `Location` says how it went."""
        data = read_body(request, self.TestInput)
        connection, is_first = _load(request, connection_id), []
        to = read_address_at("to", CHANNELS[connection.kind].address, data["to"])

        def begin() -> Response:
            is_first.append(True)
            where = f"/v1/messaging-channel-connections/{connection.pk}"
            return Response({"status": "OK"}, status=202, headers={"Location": where})

        answer = answer_once(request, begin)
        if is_first:  # after the commit: the provider may take its time
            trying.send_test(connection=connection, actor=actor_of(request), to=to)
        return answer


class ConnectionSourceApi(Api):
    scopes = {"PUT": "channels:write", "DELETE": "channels:write"}
    http_method_names = ["put", "delete"]

    class UseInput(serializers.Serializer[Any]):
        default = StrictBoolean(default=False, help_text="Answers of the source go by it when nothing else says which.")

    @extend_schema(operation_id="use_channel_connection", request=UseInput, responses=CONNECTION, tags=["Channels"])
    def put(self, request: Request, connection_id: str, source_id: str) -> Response:
        """Lets a source use it. The first of its kind is the source's default. Doing it twice changes nothing."""
        data = read_body(request, self.UseInput)
        connection, source = _load(request, connection_id), _source_or_404(request, source_id)
        services.use(connection=connection, source=source, actor=actor_of(request), as_default=data["default"])
        return _shown(request, _load(request, connection_id))

    @extend_schema(operation_id="stop_using_channel_connection", responses={204: None}, tags=["Channels"])
    def delete(self, request: Request, connection_id: str, source_id: str) -> Response:
        """A location then inherits the connection of its business, if that has one of the kind."""
        connection, source = _load(request, connection_id), _source_or_404(request, source_id)
        services.stop_using(connection=connection, source=source, actor=actor_of(request))
        return Response(status=204)


def _connections(request: Request) -> QuerySet[ChannelConnection]:
    """Those whose home the caller gets at; the built-in ones of sources are not managed here."""
    caller = caller_of(request)
    rows = ChannelConnection.objects.active().filter(organization=caller.organization_id).exclude(callback_token="")
    return rows.filter(caller.reach().where(organization="organization_id", source="source_id")).select_related("lane")


def _load(request: Request, text: str) -> ChannelConnection:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
    connection = _connections(request).filter(pk=number).first()
    if connection is None:
        raise NotFound("connection")
    return connection


def _source(request: Request, named: str) -> Source | None:
    caller = caller_of(request)
    return Source.objects.visible_to(caller).active().named(named, organizations=[caller.organization_id]).first()


def _source_or_404(request: Request, text: str) -> Source:
    source = Source.objects.visible_to(caller_of(request)).filter(pk=id_of("src", text, "source")).first()
    if source is None or source.organization_id != caller_of(request).organization_id:
        raise NotFound("source")
    return source


def _shown(
    request: Request, connection: ChannelConnection, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    body = {"data": {"messaging_channel_connection": details_json(connection, caller_of(request))}}
    return Response(body, status=status, headers=headers)


def _checked(connection: ChannelConnection) -> Response:
    return Response({"data": {"check": check_json(connection)}})
