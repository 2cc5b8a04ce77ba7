"""Conversations and messages: read them, answer, try again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import IDEMPOTENCY, Api, PageQuery, caller_of, id_of, listed, read_body, read_query
from api.call_log import set_call_subject
from api.callers import Caller
from api.fields import StrictString, WholeObject
from api.idempotency import answer_once
from api.schema import enveloped
from conversations.api.access import load_conversation, load_lead, load_message
from conversations.api.schema import ConversationShown, MessageShown
from conversations.models import Conversation, Message
from conversations.presentation import conversation_json, message_json, messages_json
from conversations.services.lifecycle import retry
from conversations.services.recipients import Recipient
from conversations.services.replies import Author, Reply, queue_reply
from core.ids import decode
from core.keyset import page
from core.problems import Invalid, NotFound, Refusal
from integrations.lead_reply_api.callers import refuse_while_off
from messaging.base import FilledTemplate

MESSAGES_SHOWN = 50  # of each conversation in a list


class IncludeQuery(PageQuery):
    include = serializers.ChoiceField(choices=["notes"], required=False)


class LeadConversationsApi(Api):
    scopes = {"GET": "conversations:read"}
    for_source_keys = frozenset({"GET"})

    @extend_schema(
        operation_id="list_conversations_of_lead",
        parameters=[IncludeQuery],
        responses=enveloped("conversations", ConversationShown, many=True),
        tags=["Replies"],
    )
    def get(self, request: Request, lead_id: str) -> Response:
        query = read_query(request, IncludeQuery)
        lead = load_lead(request, lead_id)
        rows = Conversation.objects.filter(lead=lead).select_related("connection", "assignee")
        found, next_cursor = page(rows, query)
        shown = []
        for conversation in found:
            newest = list(messages_of(conversation, query).order_by("-id")[:MESSAGES_SHOWN])
            channel = conversation.connection.kind if conversation.connection else None
            shown.append(conversation_json(conversation, newest, channel))
        return listed("conversations", shown, next_cursor)


class ConversationMessagesApi(Api):
    scopes = {"GET": "conversations:read"}
    for_source_keys = frozenset({"GET"})

    @extend_schema(
        operation_id="list_messages",
        parameters=[IncludeQuery],
        responses=enveloped("messages", MessageShown, many=True),
        tags=["Replies"],
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        query = read_query(request, IncludeQuery)
        conversation = load_conversation(request, conversation_id)
        found, next_cursor = page(messages_of(conversation, query), query)
        return listed("messages", messages_json(list(found)), next_cursor)


def messages_of(conversation: Conversation, query: dict[str, Any]) -> Any:
    rows = Message.objects.filter(conversation=conversation)
    return rows if query.get("include") == "notes" else rows.filter(kind=Message.Kind.MESSAGE)


class MessageApi(Api):
    scopes = {"GET": "conversations:read"}
    for_source_keys = frozenset({"GET"})

    @extend_schema(
        operation_id="get_message", responses=enveloped("message", MessageShown, many=False), tags=["Replies"]
    )
    def get(self, request: Request, message_id: str) -> Response:
        read_query(request, serializers.Serializer)
        return Response({"data": {"message": message_json(load_message(request, message_id))}})


class MessageRetryApi(Api):
    scopes = {"POST": "conversations:write"}
    for_source_keys = frozenset({"POST"})
    refusals = {
        "POST": (
            "channel.notConnected",
            "channel.outsideWindow",
            "channel.unavailable",
            "content.tooLong",
            "conversation.closed",
            "conversation.heldByTeam",
            "lead.notReady",
            "lead.optedOut",
            "message.notFailed",
            "template.notFound",
            "template.variables",
        )
    }

    @extend_schema(
        operation_id="retry_message",
        parameters=[IDEMPOTENCY],
        request=None,
        responses={201: enveloped("message", MessageShown, many=False)},
        tags=["Replies"],
    )
    def post(self, request: Request, message_id: str) -> Response:
        message = load_message(request, message_id)
        refuse_while_off(caller_of(request), message.source_id)
        return answer_once(request, lambda: created(retry(message=message, author=author_of(caller_of(request)))))


class ReplyApi(Api):
    scopes = {"POST": "conversations:write"}
    for_source_keys = frozenset({"POST"})
    refusals = {
        "POST": (
            "attachment.notFound",
            "attachment.tooLarge",
            "attachment.tooManyForChannel",
            "channel.notConnected",
            "channel.outsideWindow",
            "channel.unavailable",
            "connection.notFound",
            "content.tooLong",
            "conversation.closed",
            "conversation.heldByTeam",
            "conversation.moved",
            "conversation.notFound",
            "lead.notReady",
            "lead.optedOut",
            "template.notFound",
            "template.variables",
        )
    }

    class ReplyInput(serializers.Serializer[Any]):
        class TemplateInput(WholeObject):
            name = StrictString(max_length=512)
            language = StrictString(max_length=20, help_text="As the provider writes it: en_US.")
            variables = serializers.ListField(child=StrictString(max_length=1_000), max_length=50, default=list)

        content = StrictString(max_length=10_000, trim_whitespace=False, required=False)
        template = TemplateInput(required=False, help_text="WhatsApp: in place of `content`, and at any time.")
        s3_attachment = StrictString(
            max_length=1_024, required=False, help_text="The `key` of an uploaded file. It needs no `content`."
        )
        messaging_channel_connection_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
        conversation_id = serializers.CharField(required=False)
        if_last_message_id = serializers.CharField(required=False)

        def validate_content(self, content: str) -> str:
            if not content.strip():
                raise serializers.ValidationError("There is nothing to send.", code="blank")
            return content

        def validate(self, data: dict[str, Any]) -> dict[str, Any]:
            if "template" in data and ("content" in data or "s3_attachment" in data):
                raise serializers.ValidationError({"template": ["Give it alone."]}, code="required")
            if not data.keys() & {"content", "s3_attachment", "template"}:
                raise serializers.ValidationError({"content": ["This field is required."]}, code="required")
            return data

    @extend_schema(
        operation_id="send_reply",
        parameters=[IDEMPOTENCY],
        request=ReplyInput,
        responses={201: enveloped("message", MessageShown, many=False)},
        tags=["Replies"],
    )
    def post(self, request: Request, lead_id: str) -> Response:
        data = read_body(request, self.ReplyInput)
        return answer_once(
            request,
            lambda: reply_to(request, id_of("lead", lead_id, "lead"), data),
            authorize=lambda: load_lead(request, lead_id),
        )


def reply_to(request: Request, lead_id: Any, data: dict[str, Any]) -> Response:
    caller = caller_of(request)

    def allow(recipient: Recipient) -> None:
        if not _reaches(caller, recipient):
            raise NotFound("lead")
        set_call_subject(request, source_id=recipient.source_id, lead_id=recipient.lead_id)
        source = caller.require_source(recipient.source_id)
        if source is None:
            refuse_while_off(caller, recipient.source_id)
        elif source.needs_contact and not recipient.is_ready:
            raise Refusal(409, "lead.notReady", "This lead has no phone number or email yet.")

    reply = Reply(
        content=data.get("content", ""),
        template=FilledTemplate(**data["template"]) if "template" in data else None,
        conversation_id=_optional_id("conv", data, "conversation_id"),
        connection_id=data.get("messaging_channel_connection_id"),
        if_last_message_id=_optional_id("msg", data, "if_last_message_id"),
        file_keys=[data["s3_attachment"]] if "s3_attachment" in data else [],
    )
    return created(queue_reply(lead_id=lead_id, reply=reply, author=author_of(caller), allow=allow))


def _reaches(caller: Caller, recipient: Recipient) -> bool:
    return (
        recipient.organization_id in caller.reach().organization_ids or recipient.source_id in caller.reach().source_ids
    )


def _optional_id(prefix: str, data: dict[str, Any], name: str) -> Any:
    if name not in data:
        return None
    decoded = decode(prefix, data[name])
    if decoded is None:
        raise Invalid.at(f"#/{name}", f"This is not an id that begins with {prefix}_.")
    return decoded


def author_of(caller: Caller) -> Author:
    return Author(Message.Author.API, caller.name)


def created(message: Message) -> Response:
    return Response(
        {"data": {"message": message_json(message)}},
        status=201,
        headers={"Location": f"/v1/messages/{message.public_id}"},
    )
