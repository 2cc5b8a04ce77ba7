"""Leads: list, read, and create or find."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, listed, read_body, read_query
from api.call_log import set_call_subject
from api.callers import Caller
from api.fields import StrictBoolean, StrictDateTime, StrictString
from api.idempotency import answer_once
from api.schema import enveloped
from api.sources import source_for, source_named
from conversations.api.access import leads_listed_for, load_lead, refuse_archived, shown_lead
from conversations.api.schema import LeadShown
from conversations.services.lead_changes import change_lead
from conversations.services.new_leads import NOTIFICATIONS, NewLead, create_lead
from core.ids import encode
from core.keyset import page
from core.problems import Refusal
from core.text import list_data
from leads.models import Lead, OptOut, digest_of
from leads.services import Details
from messaging.addresses import is_email, normalize_email

DATA_MAX = 20_000  # characters


class SplitList(serializers.ListField):
    """A list, or its members in one comma-separated string."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            data = [part.strip() for part in data.split(",") if part.strip()]
        return super().to_internal_value(data)


def limit_data(data: dict[str, Any]) -> None:
    """Data becomes a message that people read."""
    if len(list_data(data)) > DATA_MAX:
        raise serializers.ValidationError(f"All in all at most {DATA_MAX} characters.", code="max_length")


class BooleanOrWord(StrictBoolean):
    """`true` or `false`, also as a word: forms have nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        return super().to_internal_value(
            {"true": True, "false": False}.get(data, data) if isinstance(data, str) else data
        )


class LeadChanges(serializers.Serializer[Any]):
    first_name = StrictString(max_length=200, allow_blank=True, required=False)
    last_name = StrictString(max_length=200, allow_blank=True, required=False)
    email = StrictString(max_length=254, allow_blank=True, allow_null=True, required=False)
    phone = StrictString(max_length=60, allow_blank=True, allow_null=True, required=False)
    address = StrictString(max_length=1000, allow_blank=True, allow_null=True, required=False)
    unique_id = StrictString(max_length=200, allow_blank=True, allow_null=True, required=False)
    status = StrictString(max_length=100, required=False)
    tags = SplitList(child=serializers.CharField(max_length=100), max_length=100, required=False)
    custom_fields = serializers.DictField(required=False, validators=[limit_data])
    source = StrictString(max_length=200, allow_blank=True, allow_null=True, required=False)  # type: ignore[assignment]
    source_url = StrictString(max_length=2000, allow_blank=True, allow_null=True, required=False)
    opt_in = StrictBoolean(required=False)
    opt_in_transactional_sms = StrictBoolean(required=False)

    def validate_email(self, email: str | None) -> str | None:
        if email and not is_email(email):
            raise serializers.ValidationError("This is not an email address.")
        return email


class LeadsApi(Api):
    scopes = {"GET": "leads:read", "POST": "leads:write"}
    for_source_keys = frozenset({"GET"})
    refusals = {"POST": ("lead.identifierConflict", "lead.tooLarge", "notification.unavailable", "source.archived")}

    class Query(PageQuery):
        source_id = serializers.CharField(required=False)
        is_new = serializers.BooleanField(required=False, allow_null=True, default=None)
        status = serializers.CharField(required=False)
        tag = serializers.CharField(required=False)
        email = serializers.CharField(required=False)
        phone = serializers.CharField(required=False)
        unique_id = serializers.CharField(required=False)
        created_after = StrictDateTime(required=False)
        updated_after = StrictDateTime(required=False)
        q = serializers.CharField(required=False, max_length=200)

    class NewLeadInput(serializers.Serializer[Any]):
        first_name = StrictString(max_length=200)
        last_name = StrictString(max_length=200, required=False, allow_blank=True)
        request_title = StrictString(max_length=300)
        identifier_type = serializers.ChoiceField(choices=["email", "unique_id"])
        source_id = StrictString(required=False)
        business_id = StrictString(required=False)
        email = StrictString(max_length=254, required=False, allow_blank=True)
        phone = StrictString(max_length=60, required=False, allow_blank=True)
        address = StrictString(max_length=1000, required=False, allow_blank=True)
        unique_id = StrictString(max_length=200, required=False, allow_blank=True)
        status = StrictString(max_length=100, required=False)
        tags = SplitList(child=StrictString(max_length=100), required=False, max_length=100)
        source = StrictString(max_length=200, required=False, allow_blank=True)  # type: ignore[assignment]
        source_url = StrictString(max_length=2000, required=False, allow_blank=True)
        system_message = StrictString(max_length=10_000, required=False, allow_blank=True)
        message_data = serializers.DictField(required=False, validators=[limit_data])
        request_data = serializers.DictField(required=False, validators=[limit_data])
        opt_in = BooleanOrWord(required=False)
        opt_in_transactional_sms = StrictBoolean(required=False)
        notifications = SplitList(child=serializers.ChoiceField(choices=NOTIFICATIONS), required=False)

        def validate_email(self, email: str) -> str:
            if email and not is_email(email):
                raise serializers.ValidationError("This is not an email address.")
            return email

        def validate(self, data: dict[str, Any]) -> dict[str, Any]:
            identifier = data["identifier_type"]
            if not data.get(identifier):
                raise serializers.ValidationError({identifier: "It is required as the identifier of the lead."})
            return data

    class LeadCreated(serializers.Serializer[Any]):
        status = serializers.ChoiceField(choices=["OK"])
        uid = serializers.CharField()
        conversation_uid = serializers.CharField()
        created = serializers.BooleanField()

    @extend_schema(
        operation_id="list_leads",
        parameters=[Query],
        responses=enveloped("leads", LeadShown, many=True),
        tags=["Replies"],
    )
    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        query = read_query(request, self.Query)
        if "source_id" in query:
            query["source"] = source_named(query["source_id"], caller)
        leads, next_cursor = page(filtered(leads_listed_for(caller), query), query)
        opted_out = opt_outs_of(leads)
        return listed("leads", [shown_lead(caller, lead, opted_out.get(lead.pk, [])) for lead in leads], next_cursor)

    @extend_schema(
        operation_id="create_lead",
        parameters=[IDEMPOTENCY],
        request=NewLeadInput,
        responses={201: LeadCreated},
        tags=["Leads in"],
    )
    def post(self, request: Request) -> Response:
        data = read_body(request, self.NewLeadInput)
        caller = caller_of(request)
        if caller.is_source_key:
            raise Refusal(403, "token.scopeMissing", "Leads are created with an API token of scope leads:write.")
        return answer_once(request, lambda: create(request, caller, data), authorize=lambda: source_for(caller, data))


class LeadApi(Api):
    scopes = {"GET": "leads:read", "PATCH": "leads:write"}
    for_source_keys = frozenset({"GET"})
    refusals = {"PATCH": ("lead.identifierConflict", "lead.tooLarge", "source.archived")}

    @extend_schema(operation_id="get_lead", responses=enveloped("lead", LeadShown, many=False), tags=["Replies"])
    def get(self, request: Request, lead_id: str) -> Response:
        read_query(request, serializers.Serializer)
        lead = load_lead(request, lead_id)
        return Response({"data": {"lead": shown_lead(caller_of(request), lead, list(OptOut.objects.of(lead)))}})

    @extend_schema(
        operation_id="update_lead",
        request=LeadChanges,
        responses=enveloped("lead", LeadShown, many=False),
        tags=["Leads in"],
    )
    def patch(self, request: Request, lead_id: str) -> Response:
        """Fields that are left out stay, `custom_fields` are merged by name, and null removes one."""
        data = read_body(request, LeadChanges, partial=True)
        lead = load_lead(request, lead_id)
        refuse_archived(lead.source)
        # null empties a field: that is how an empty one is shown
        changes = {
            "origin" if name == "source" else name: "" if value is None else value for name, value in data.items()
        }
        changed = change_lead(lead=lead, actor=actor_of(request), changes=changes)
        return Response({"data": {"lead": shown_lead(caller_of(request), changed, list(OptOut.objects.of(changed)))}})


def filtered(leads: Any, query: dict[str, Any]) -> Any:
    """Apply the filters of a list."""
    if "source" in query:
        leads = leads.filter(source=query["source"]) if query["source"] else leads.none()
    if query["is_new"] is not None:
        leads = leads.filter(returned_at__isnull=query["is_new"])
    if "status" in query:
        leads = leads.filter(status=query["status"])
    if "unique_id" in query:
        leads = leads.filter(unique_id=query["unique_id"]).exclude(unique_id="")
    if "tag" in query:
        leads = leads.filter(tags__contains=[query["tag"]])
    if "email" in query:
        leads = leads.with_email(query["email"])
    if "phone" in query:
        leads = leads.with_phone(query["phone"])
    if "created_after" in query:
        leads = leads.created_since(query["created_after"])
    if "updated_after" in query:
        leads = leads.filter(updated_at__gt=query["updated_after"])
    return leads.containing(query.get("q", ""))


def opt_outs_of(leads: list[Lead]) -> dict[Any, list[OptOut]]:
    """The opt-outs of a page of leads, in one query."""
    by_address: dict[tuple[Any, str], list[OptOut]] = {}
    addresses = {address for lead in leads for address in (normalize_email(lead.email), lead.phone_e164) if address}
    organizations = {lead.organization_id for lead in leads}
    forms = {form: address for address in addresses for form in (address, digest_of(address))}
    for opt_out in OptOut.objects.in_force().filter(organization__in=organizations, address__in=forms):
        by_address.setdefault((opt_out.organization_id, forms[opt_out.address]), []).append(opt_out)
    return {
        lead.pk: by_address.get((lead.organization_id, normalize_email(lead.email)), [])
        + (by_address.get((lead.organization_id, lead.phone_e164), []) if lead.phone_e164 else [])
        for lead in leads
    }


def create(request: Request, caller: Caller, data: dict[str, Any]) -> Response:
    source = source_for(caller, data)
    text = {name: data.get(name, "") for name in ("first_name", "last_name", "email", "phone", "address", "unique_id")}
    details = Details(
        **text,
        status=data.get("status", ""),
        origin=data.get("source", ""),
        source_url=data.get("source_url", ""),
        tags=data.get("tags", []),
        opt_in=data.get("opt_in", False),
        opt_in_transactional_sms=data.get("opt_in_transactional_sms", False),
    )
    new = NewLead(
        identifier=data["identifier_type"],
        title=data["request_title"],
        details=details,
        message_data=data.get("message_data", {}),
        request_data=data.get("request_data", {}),
        system_message=data.get("system_message", ""),
        notifications=data.get("notifications", []),
    )
    arrived, is_created = create_lead(source=source, new=new)
    set_call_subject(request, source_id=source.pk, lead_id=arrived.lead.pk)
    answer = {
        "status": "OK",
        "uid": encode("lead", arrived.lead.pk),
        "conversation_uid": encode("conv", arrived.conversation.pk),
        "created": is_created,
    }
    return Response(answer, status=201, headers={"Location": f"/v1/leads/{arrived.lead.public_id}"})
