"""What can be done with one lead: merge, erase, export, consent, a message of a caller's own channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rights import Right
from api.base import IDEMPOTENCY, Api, actor_of, caller_of, read_body, read_query
from api.fields import StrictDateTime, StrictString
from api.idempotency import answer_once
from api.jobs import require_right
from api.schema import enveloped
from conversations.api.access import load_conversation, load_lead, refuse_archived, shown_lead
from conversations.api.schema import LeadShown, MessageShown, OptedOut
from conversations.presentation import message_json
from conversations.services.erasing import erase_lead
from conversations.services.lead_changes import block, unblock
from conversations.services.merging import merge_leads
from conversations.services.reported_messages import ReportedMessage, report_message
from core.problems import NotFound
from leads.models import Lead, OptOut
from leads.presentation import opt_out_json
from messaging.models import ChannelConnection

MESSAGES_MAX = 10_000  # characters of one message
CLOCKS_APART = timedelta(minutes=5)  # how far a caller's clock may be ahead of ours
BLOCKABLE = [kind for kind in ChannelConnection.Kind if kind is not ChannelConnection.Kind.WEBSITE]


class LeadMergeApi(Api):
    scopes = {"POST": "leads:write"}
    refusals = {"POST": ("lead.otherSource", "lead.sameLead")}

    class MergeInput(serializers.Serializer[Any]):
        into = StrictString(help_text="The id of the lead that stays.")

    @extend_schema(
        operation_id="merge_lead",
        parameters=[IDEMPOTENCY],
        request=MergeInput,
        responses=enveloped("lead", LeadShown, many=False),
        tags=["Leads in"],
    )
    def post(self, request: Request, lead_id: str) -> Response:
        """Moves its conversations to another lead of the same source, which its id and address name from then on."""
        data = read_body(request, self.MergeInput)

        def merge() -> Response:
            lead, into = load_lead(request, lead_id), load_lead(request, data["into"])
            return _lead(request, merge_leads(lead=lead, into=into, actor=actor_of(request)))

        return answer_once(request, merge)


ERASED = inline_serializer(
    "LeadErased",
    {"data": inline_serializer("LeadErasedData", {"erased": serializers.DictField(child=serializers.IntegerField())})},
)


class LeadEraseApi(Api):
    scopes = {"POST": "leads:write"}

    @extend_schema(
        operation_id="erase_lead",
        parameters=[IDEMPOTENCY],
        request=None,
        responses=ERASED,
        tags=["Leads in"],
    )
    def post(self, request: Request, lead_id: str) -> Response:
        """Blanks the person's data everywhere, for good. Says how many rows of each kind were blanked."""
        require_right(request, Right.CONFIGURE)

        def erase() -> Response:
            counts = erase_lead(lead=load_lead(request, lead_id), actor=actor_of(request))
            return Response({"data": {"erased": counts}})

        return answer_once(request, erase)


class OptOutsApi(Api):
    scopes = {"GET": "leads:read", "POST": "leads:write"}
    refusals = {"POST": ("lead.noAddress",)}

    class OptOutInput(serializers.Serializer[Any]):
        channel = serializers.ChoiceField(choices=[(kind.value, kind.label) for kind in BLOCKABLE])
        reason = serializers.ChoiceField(
            choices=[OptOut.Reason.UNSUBSCRIBE, OptOut.Reason.COMPLAINT, OptOut.Reason.PERSON],
            default=OptOut.Reason.PERSON,
        )

    @extend_schema(
        operation_id="list_opt_outs",
        responses=enveloped("opt_outs", OptedOut, many=True, paged=False),
        tags=["Leads in"],
    )
    def get(self, request: Request, lead_id: str) -> Response:
        read_query(request, serializers.Serializer)
        rows = OptOut.objects.of(load_lead(request, lead_id)).order_by("created_at")
        return Response({"data": {"opt_outs": [opt_out_json(opt_out) for opt_out in rows]}})

    @extend_schema(
        operation_id="create_opt_out",
        parameters=[IDEMPOTENCY],
        request=OptOutInput,
        responses={201: enveloped("opt_out", OptedOut, many=False)},
        tags=["Leads in"],
    )
    def post(self, request: Request, lead_id: str) -> Response:
        """Blocks a channel for the lead's address at every source of the organization."""
        data = read_body(request, self.OptOutInput)

        def block_channel() -> Response:
            lead = load_lead(request, lead_id)
            opt_out = block(lead=lead, channel=data["channel"], reason=data["reason"], actor=actor_of(request))
            return Response({"data": {"opt_out": opt_out_json(opt_out)}}, status=201)

        return answer_once(request, block_channel)


class OptOutApi(Api):
    scopes = {"DELETE": "leads:write"}

    @extend_schema(operation_id="delete_opt_out", responses={204: None}, tags=["Leads in"])
    def delete(self, request: Request, lead_id: str, channel: str) -> Response:
        lead = load_lead(request, lead_id)
        if channel not in BLOCKABLE:
            raise NotFound("channel")
        unblock(lead=lead, channel=channel, actor=actor_of(request))
        return Response(status=204)


class LeadMessagesApi(Api):
    scopes = {"POST": "conversations:write"}
    refusals = {"POST": ("conversation.closed", "conversation.notFound", "source.archived")}

    class MessageInput(serializers.Serializer[Any]):
        content = StrictString(max_length=MESSAGES_MAX, trim_whitespace=False)
        external_id = StrictString(max_length=255, help_text="Your own id of the message: the same one is kept once.")
        conversation_id = StrictString(required=False)
        said_at = StrictDateTime(required=False, help_text="When the lead said it, if that was earlier.")

        def validate_said_at(self, said_at: datetime) -> datetime:
            if said_at > timezone.now() + CLOCKS_APART:
                raise serializers.ValidationError("This is in the future.")
            return said_at

    @extend_schema(
        operation_id="report_message",
        parameters=[IDEMPOTENCY],
        request=MessageInput,
        responses={
            200: enveloped("message", MessageShown, many=False),
            201: enveloped("message", MessageShown, many=False),
        },
        tags=["Leads in"],
    )
    def post(self, request: Request, lead_id: str) -> Response:
        """Records what the lead said on a channel of your own. 200 with the message that is there, when it is."""
        data = read_body(request, self.MessageInput)

        def report() -> Response:
            caller, lead = caller_of(request), load_lead(request, lead_id)
            refuse_archived(lead.source)
            named = load_conversation(request, data["conversation_id"]) if "conversation_id" in data else None
            if named and named.lead_id != lead.pk:
                raise NotFound("conversation")
            said_at: datetime | None = data.get("said_at")
            reported = ReportedMessage(data["content"], f"{caller.idempotency_scope}:{data['external_id']}", said_at)
            message, is_new = report_message(lead=lead, reported=reported, into=named)
            where = {"Location": f"/v1/messages/{message.public_id}"}
            body = {"data": {"message": message_json(message)}}
            return Response(body, status=201 if is_new else 200, headers=where)

        return answer_once(request, report)


def _lead(request: Request, lead: Lead) -> Response:
    return Response({"data": {"lead": shown_lead(caller_of(request), lead, list(OptOut.objects.of(lead)))}})
