"""What a person may ask for: all that is known of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Api, caller_of, read_query
from conversations.api.access import load_lead, shown_lead
from conversations.api.schema import ConversationShown, LeadShown, MessageShown, OptedOut
from conversations.services.export import export_conversations
from leads.models import Lead, OptOut
from leads.presentation import opt_out_json


class MailExported(serializers.Serializer[Any]):
    received_at = serializers.DateTimeField()
    size = serializers.IntegerField(help_text="Bytes.")
    content = serializers.CharField(allow_null=True, help_text="The mail as it came in, base64. null above 1 MB.")


class MessageExported(MessageShown):
    folded = serializers.CharField(help_text="Quotes and signature.")
    mails = MailExported(many=True)


class ConversationExported(ConversationShown):
    messages = MessageExported(many=True)


_DATA = inline_serializer(
    "LeadExportData",
    {
        "lead": LeadShown(),
        "merged": LeadShown(many=True),
        "conversations": ConversationExported(many=True),
        "opt_outs": OptedOut(many=True),
    },
)
EXPORT = inline_serializer("LeadExport", {"data": _DATA})


class LeadExportApi(Api):
    scopes = {"GET": "leads:read"}

    @extend_schema(operation_id="export_lead", responses=EXPORT, tags=["Leads in"])
    def get(self, request: Request, lead_id: str) -> Response:
        """All that is known of one person: details, leads merged into it, conversations, notes, mails, consent."""
        read_query(request, serializers.Serializer)
        lead = load_lead(request, lead_id)
        caller_of(request).require_scope("conversations:read")
        merged = list(Lead.objects.filter(merged_into=lead).select_related("source").order_by("pk"))
        opt_outs = {person: list(OptOut.objects.of(person)) for person in (lead, *merged)}
        each_once = {row.pk: row for rows in opt_outs.values() for row in rows}
        data = {
            "lead": shown_lead(caller_of(request), lead, opt_outs[lead]),
            "merged": [shown_lead(caller_of(request), person, opt_outs[person]) for person in merged],
            "conversations": export_conversations(lead),
            "opt_outs": [opt_out_json(row) for row in each_once.values()],
        }
        return Response({"data": data})
