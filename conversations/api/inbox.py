"""Conversations as the inbox shows them: list, open, close, assign, note, mark read. For tokens of an organization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import Actor
from accounts.models import User
from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, listed, read_body, read_query
from api.callers import Caller
from api.fields import StrictString
from api.idempotency import answer_once
from api.schema import enveloped
from api.sources import source_named
from conversations.api.access import load_conversation, refuse_archived
from conversations.api.conversations import MESSAGES_SHOWN, author_of, created
from conversations.api.schema import ConversationShown, MessageShown
from conversations.models import Conversation, Message
from conversations.models.conversations import TAG_LENGTH, TAGS_MAX
from conversations.presentation import conversation_json, load_files
from conversations.services import filing
from conversations.services import lifecycle as states
from conversations.services.team import team_of
from core.ids import decode
from core.keyset import page_by_moment
from core.problems import Invalid, Refusal
from leads.models import surviving_id
from messaging.models import ChannelConnection

NOTE_MAX = 10_000  # characters


class InboxApi(Api):
    scopes = {"GET": "conversations:read"}

    class Query(PageQuery):
        state = serializers.ChoiceField(choices=["open", "waiting", "snoozed", "closed", "all"], default="all")
        source_id = serializers.CharField(required=False)
        lead_id = serializers.CharField(required=False)
        messaging_channel_id = serializers.ChoiceField(choices=ChannelConnection.Kind.choices, required=False)
        assignee_id = serializers.CharField(required=False, help_text="A person's id, or `none`.")
        handled_by = serializers.ChoiceField(choices=Conversation.Holder.choices, required=False)
        tag = serializers.CharField(required=False, max_length=TAG_LENGTH)
        unread = serializers.BooleanField(required=False, allow_null=True, default=None)

    @extend_schema(
        operation_id="list_conversations",
        parameters=[Query],
        responses=enveloped("conversations", ConversationShown, many=True),
        tags=["Conversations"],
    )
    def get(self, request: Request) -> Response:
        """The newest first, each with its last message. `waiting`: the lead spoke last."""
        query, caller = read_query(request, self.Query), caller_of(request)
        rows = _filtered(_conversations(caller), query, caller)
        conversations, next_cursor = page_by_moment(rows, "last_message_at", query.get("cursor", ""), query["limit"])
        last = Message.objects.in_bulk(
            [conversation.last_message_id for conversation in conversations if conversation.last_message_id]
        )
        load_files(last.values())
        shown = [
            _shown(conversation, [last[conversation.last_message_id]] if conversation.last_message_id in last else [])
            for conversation in conversations
        ]
        return listed("conversations", shown, next_cursor)


class ConversationApi(Api):
    scopes = {"GET": "conversations:read", "PATCH": "conversations:write"}
    refusals = {
        "PATCH": ("assignee.notAllowed", "conversation.closed", "conversation.handBackNeedsPerson", "source.archived")
    }

    class Changes(serializers.Serializer[Any]):
        status = serializers.ChoiceField(choices=["open", "closed"], required=False)
        assignee_id = StrictString(required=False, allow_null=True, help_text="null: nobody.")
        handled_by = serializers.ChoiceField(
            choices=Conversation.Holder.choices,
            required=False,
            help_text="`team` takes it over: programs cannot answer in it any more; what they queued before still goes "
            "out. Only a person (a staff token) hands it back with `external`.",
        )
        snoozed_until = serializers.DateTimeField(
            required=False,
            allow_null=True,
            help_text="Within 12 months; null ends it. A message of the lead does too.",
        )
        tags = serializers.ListField(
            child=StrictString(max_length=TAG_LENGTH), max_length=TAGS_MAX, required=False, help_text="All of them."
        )

    @extend_schema(
        operation_id="get_conversation",
        responses=enveloped("conversation", ConversationShown, many=False),
        tags=["Conversations"],
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        """One, with its newest 50 messages."""
        read_query(request, serializers.Serializer)
        return _one(load_conversation(request, conversation_id))

    @extend_schema(
        operation_id="update_conversation",
        request=Changes,
        responses=enveloped("conversation", ConversationShown, many=False),
        tags=["Conversations"],
    )
    def patch(self, request: Request, conversation_id: str) -> Response:
        """Close or reopen it, give it to somebody, snooze it, tag it, take it over for the team or hand it back."""
        data = read_body(request, self.Changes, partial=True)
        conversation = load_conversation(request, conversation_id)
        with transaction.atomic():  # all of it, or nothing
            if "assignee_id" in data:
                person = _person(conversation, data["assignee_id"])
                states.assign(conversation_id=conversation.pk, to=person, actor=_actor(request))
            if data.get("status") == "open":
                states.reopen(conversation_id=conversation.pk, actor=_actor(request))
            _file(conversation, data, _actor(request), caller_of(request))
            if data.get("status") == "closed":
                states.close(conversation_id=conversation.pk, actor=_actor(request))
        return _one(load_conversation(request, conversation_id))


class NotesApi(Api):
    scopes = {"POST": "conversations:write"}
    refusals = {"POST": ("source.archived",)}

    class NoteInput(serializers.Serializer[Any]):
        content = StrictString(max_length=NOTE_MAX, trim_whitespace=False)

    @extend_schema(
        operation_id="create_note",
        parameters=[IDEMPOTENCY],
        request=NoteInput,
        responses={201: enveloped("message", MessageShown, many=False)},
        tags=["Conversations"],
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        """For the team alone: never sent, never quoted."""
        data = read_body(request, self.NoteInput)
        caller = caller_of(request)

        def write() -> Response:
            conversation = load_conversation(request, conversation_id)
            refuse_archived(conversation.source)
            return created(states.note(conversation=conversation, content=data["content"], author=author_of(caller)))

        return answer_once(request, write)


class ReadApi(Api):
    scopes = {"POST": "conversations:write"}

    @extend_schema(
        operation_id="mark_conversation_read",
        parameters=[IDEMPOTENCY],
        request=None,
        responses={204: None},
        tags=["Conversations"],
    )
    def post(self, request: Request, conversation_id: str) -> Response:

        def read() -> Response:
            states.mark_read(load_conversation(request, conversation_id))
            return Response(status=204)

        return answer_once(request, read)


def _conversations(caller: Caller) -> QuerySet[Conversation]:
    rows = Conversation.objects.visible_to(caller).filter(organization=caller.organization_id)
    rows = rows.filter(lead__is_test=False, lead__erased_at=None)
    return rows.select_related("connection", "assignee")


def _filtered(rows: Any, query: dict[str, Any], caller: Caller) -> Any:
    if query["state"] != "all":
        rows = getattr(rows, query["state"])()
    if "source_id" in query:
        source_id = source_named(query["source_id"], caller)
        rows = rows.filter(source=source_id) if source_id else rows.none()
    if "lead_id" in query:
        source_id = decode("lead", query["lead_id"])
        rows = rows.filter(lead=surviving_id(source_id)) if source_id else rows.none()
    if "messaging_channel_id" in query:
        rows = rows.filter(connection__kind=query["messaging_channel_id"])
    if "assignee_id" in query:
        source_id = decode("usr", query["assignee_id"])
        if source_id is None and query["assignee_id"] != "none":
            raise Invalid.at("assignee_id", "Give a person's id, or none.", kind="parameter")
        rows = rows.filter(assignee=source_id)
    if "handled_by" in query:
        rows = rows.filter(handled_by=query["handled_by"])
    if "tag" in query:
        rows = rows.tagged(query["tag"])
    if query["unread"] is not None:
        rows = rows.filter(unread_at__isnull=not query["unread"])
    return rows


def _person(conversation: Conversation, text: str | None) -> User | None:
    if text is None:
        return None
    person_id = decode("usr", text)
    person = next((person for person in team_of(conversation) if person.pk == person_id), None)
    if person is None:
        raise Invalid.at("#/assignee_id", "Nobody with this id may answer in this conversation.", "notFound")
    return person


def _file(conversation: Conversation, data: dict[str, Any], actor: Actor, caller: Caller) -> None:
    """Tag, snooze and hand over, as far as the caller says so. Raise Invalid, Refusal."""
    if data.get("snoozed_until") and data.get("status") == "closed":
        raise Invalid.at("#/snoozed_until", "A closed conversation cannot be snoozed.")
    if "tags" in data:
        filing.set_tags(conversation_id=conversation.pk, names=data["tags"], actor=actor)
    if data.get("snoozed_until"):
        filing.snooze(conversation_id=conversation.pk, until=data["snoozed_until"], actor=actor)
    elif "snoozed_until" in data:
        filing.unsnooze(conversation_id=conversation.pk, actor=actor)
    if "handled_by" in data:
        holder = Conversation.Holder(data["handled_by"])
        if holder is Conversation.Holder.EXTERNAL and conversation.is_held_by_team and caller.kind != "staff":
            raise Refusal(403, "conversation.handBackNeedsPerson", "Only a person hands it back: use a staff token.")
        filing.hand_over(conversation_id=conversation.pk, to=holder, actor=actor)


def _actor(request: Request) -> Actor:
    """Return who changes a conversation: of a staff token the member behind it."""
    caller = caller_of(request)
    return replace(actor_of(request), user=caller.creator.user if caller.kind == "staff" and caller.creator else None)


def _one(conversation: Conversation) -> Response:
    newest = Message.objects.filter(conversation=conversation, kind=Message.Kind.MESSAGE).order_by("-id")
    return Response({"data": {"conversation": _shown(conversation, list(newest[:MESSAGES_SHOWN]))}})


def _shown(conversation: Conversation, messages: list[Message]) -> dict[str, Any]:
    channel = conversation.connection.kind if conversation.connection else None
    return conversation_json(conversation, messages, channel)
