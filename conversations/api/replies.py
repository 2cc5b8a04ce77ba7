"""What leads answered, and what they mean by it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import IDEMPOTENCY, Api, actor_of, caller_of, id_of, read_body, read_query
from api.call_log import set_call_subject
from api.callers import Caller
from api.idempotency import answer_once
from api.schema import enveloped
from conversations.models import Label, ReceivedReply
from conversations.models.received_replies import ReceivedReplyQuerySet
from conversations.presentation import reply_json
from conversations.services.received_replies import correct
from core.ids import decode
from core.keyset import page
from core.problems import Invalid, NotFound, Refusal

REPLIES_MAX = 1_000
MEANINGS = [label for label in Label if label != Label.NONE]


class ReplyShown(serializers.Serializer[Any]):
    """One reply. Its names are written as systems for campaigns write them."""

    id = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    campaignId = serializers.CharField(allow_null=True)
    classification = serializers.ChoiceField(choices=Label.choices)
    receivedAt = serializers.DateTimeField()
    threadSnippet = serializers.CharField(help_text="The beginning of what was written, on one line.")
    leadId = serializers.CharField()
    conversationId = serializers.CharField()
    channel = serializers.CharField(allow_null=True)


class RepliesApi(Api):
    scopes = {"GET": "replies:read"}
    refusals = {"GET": ("campaign.notFound", "range.reversed")}

    class Query(serializers.Serializer[Any]):
        campaignId = serializers.CharField(required=False)
        classification = serializers.ChoiceField(
            choices=Label.choices, required=False, help_text="Left out: every reply that has a meaning but `none`."
        )
        receivedAfter = serializers.DateTimeField(required=False)
        receivedBefore = serializers.DateTimeField(required=False)
        limit = serializers.IntegerField(min_value=1, max_value=REPLIES_MAX, default=REPLIES_MAX)
        cursor = serializers.CharField(required=False, allow_blank=True, max_length=200)

    @extend_schema(
        operation_id="list_replies", parameters=[Query], responses=ReplyShown(many=True), tags=["Replies of leads"]
    )
    def get(self, request: Request) -> Response:
        """The newest first, as a bare array. The header `Link` names the next page (`rel="next"`)."""
        query, caller = read_query(request, self.Query), caller_of(request)
        replies, next_cursor = page(_filtered(_visible(caller), query), query)
        answer = Response([reply_json(reply) for reply in replies])
        if next_cursor:
            parameters = {**request.query_params.dict(), "cursor": next_cursor}
            answer["Link"] = f'<{request.build_absolute_uri(request.path)}?{urlencode(parameters)}>; rel="next"'
        return answer


class ReplyClassificationApi(Api):
    scopes = {"POST": "conversations:write"}
    refusals = {"POST": ("reply.isBounce",)}

    class Correction(serializers.Serializer[Any]):
        classification = serializers.ChoiceField(choices=[label for label in Label if label != Label.BOUNCE])

    @extend_schema(
        operation_id="classify_reply",
        parameters=[IDEMPOTENCY],
        request=Correction,
        responses=enveloped("reply", ReplyShown, many=False),
        tags=["Replies of leads"],
    )
    def post(self, request: Request, reply_id: str) -> Response:
        """Say what a reply means. It wins over what rules say."""
        data, caller = read_body(request, self.Correction), caller_of(request)

        def classify() -> Response:
            reply = _visible(caller).filter(pk=id_of("rpl", reply_id, "reply")).first()
            if reply is None:
                raise NotFound("reply")
            set_call_subject(request, source_id=reply.source_id, lead_id=reply.lead_id)
            corrected = correct(reply=reply, label=Label(data["classification"]), actor=actor_of(request))
            return Response({"data": {"reply": reply_json(corrected)}})

        return answer_once(request, classify)


def _visible(caller: Caller) -> ReceivedReplyQuerySet:
    rows = ReceivedReply.objects.visible_to(caller).filter(organization=caller.organization_id)
    rows = rows.filter(lead__is_test=False, lead__erased_at=None)
    return rows.select_related("lead", "message__connection")


def _filtered(rows: ReceivedReplyQuerySet, query: dict[str, Any]) -> ReceivedReplyQuerySet:
    if "campaignId" in query:
        if decode("camp", query["campaignId"]) is None:
            raise Invalid.at("campaignId", "This is not an id that begins with camp_.", kind="parameter")
        raise NotFound("campaign")
    after, before = query.get("receivedAfter"), query.get("receivedBefore")
    if after and before and before < after:
        raise Refusal(422, "range.reversed", "receivedBefore is earlier than receivedAfter.")
    if after:
        rows = rows.filter(received_at__gt=after)
    if before:
        rows = rows.filter(received_at__lt=before)
    return rows.filter(label__in=[query["classification"]] if "classification" in query else MEANINGS)
