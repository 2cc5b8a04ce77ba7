"""Custom fields of an organization's leads."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rights import Right
from api.base import IDEMPOTENCY, Api, PageQuery, actor_of, caller_of, id_of, listed, read_body, read_query
from api.fields import StrictString
from api.idempotency import answer_once
from api.schema import enveloped
from core.ids import rfc3339
from core.keyset import page
from core.problems import Invalid, NotFound, Refusal
from leads.models import CustomField

FIELDS_MAX = 200  # of one organization


class CustomFieldShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.ChoiceField(choices=CustomField.Kind.choices)
    choices = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


class FieldInput(serializers.Serializer[Any]):
    key = StrictString(max_length=100, help_text="The name in a lead's `custom_fields`.")
    label = StrictString(max_length=200, allow_blank=True, required=False)  # type: ignore[assignment]
    type = serializers.ChoiceField(choices=CustomField.Kind.choices)
    choices = serializers.ListField(child=StrictString(max_length=200), max_length=100, required=False)


class FieldChanges(serializers.Serializer[Any]):
    label = StrictString(max_length=200, allow_blank=True, required=False)  # type: ignore[assignment]
    choices = serializers.ListField(child=StrictString(max_length=200), max_length=100, required=False)


class CustomFieldsApi(Api):
    scopes = {"GET": "leads:read", "POST": "leads:write"}
    refusals = {"POST": ("customField.exists", "customField.tooMany")}

    @extend_schema(
        operation_id="list_custom_fields",
        parameters=[PageQuery],
        responses=enveloped("custom_fields", CustomFieldShown, many=True),
        tags=["Leads in"],
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, PageQuery)
        rows = CustomField.objects.filter(organization=caller_of(request).organization_id)
        fields, next_cursor = page(rows, query)
        return listed("custom_fields", [field_json(field) for field in fields], next_cursor)

    @extend_schema(
        operation_id="create_custom_field",
        parameters=[IDEMPOTENCY],
        request=FieldInput,
        responses={201: enveloped("custom_field", CustomFieldShown, many=False)},
        tags=["Leads in"],
    )
    def post(self, request: Request) -> Response:
        require_configure(request)
        data = read_body(request, FieldInput)
        check_choices(data["type"], data.get("choices", []))
        return answer_once(request, lambda: make(request, data))


class CustomFieldApi(Api):
    scopes = {"PATCH": "leads:write", "DELETE": "leads:write"}

    @extend_schema(
        operation_id="update_custom_field",
        request=FieldChanges,
        responses=enveloped("custom_field", CustomFieldShown, many=False),
        tags=["Leads in"],
    )
    def patch(self, request: Request, field_id: str) -> Response:
        """Key and type stay: leads have values of them."""
        require_configure(request)
        data, field = read_body(request, FieldChanges, partial=True), load(request, field_id)
        if "choices" in data:
            check_choices(field.kind, data["choices"])
        before = field_json(field)
        for name, value in data.items():
            setattr(field, name, value)
        with transaction.atomic():
            field.save(update_fields=list(data) or None)
            record(request, "custom-field.change", field, before=before, after=field_json(field))
        return Response({"data": {"custom_field": field_json(field)}})

    @extend_schema(operation_id="delete_custom_field", responses={204: None}, tags=["Leads in"])
    def delete(self, request: Request, field_id: str) -> Response:
        """The values that leads have stay, as text."""
        require_configure(request)
        field = load(request, field_id)
        with transaction.atomic():
            record(request, "custom-field.delete", field, before=field_json(field))
            field.delete()
        return Response(status=204)


def make(request: Request, data: dict[str, Any]) -> Response:
    rows = CustomField.objects.filter(organization=caller_of(request).organization_id)
    if rows.count() >= FIELDS_MAX:
        raise Refusal(409, "customField.tooMany", f"An organization has at most {FIELDS_MAX} custom fields.")
    field = CustomField(
        organization_id=caller_of(request).organization_id,
        key=data["key"],
        label=data.get("label", ""),
        kind=data["type"],
        choices=data.get("choices", []),
    )
    try:
        with transaction.atomic():
            field.save(force_insert=True)
    except IntegrityError as error:
        raise Refusal(409, "customField.exists", f"There is a custom field “{field.key}” already.") from error
    record(request, "custom-field.make", field, after=field_json(field))
    return Response({"data": {"custom_field": field_json(field)}}, status=201)


def require_configure(request: Request) -> None:
    """Raise Refusal 403 unless the caller may configure the whole organization, not only some of its sources."""
    creator = caller_of(request).creator
    if creator is not None and (creator.is_limited or not creator.may(Right.CONFIGURE)):
        raise Refusal(403, "request.forbidden", f"This needs the right: {Right.CONFIGURE.label.lower()}.")


def check_choices(kind: str, choices: list[str]) -> None:
    """Raise Invalid where choices are missing, or are there for another type."""
    if (kind == CustomField.Kind.CHOICE) != bool(choices):
        detail = "Give at least one choice." if not choices else "Only the type choice has choices."
        raise Invalid.at("#/choices", detail, "choices")


def load(request: Request, text: str) -> CustomField:
    rows = CustomField.objects.filter(organization=caller_of(request).organization_id)
    field = rows.filter(pk=id_of("cf", text, "customField")).first()
    if field is None:
        raise NotFound("customField")
    return field


def record(request: Request, action: str, field: CustomField, **states: Any) -> None:
    actor_of(request).record(action, organization=field.organization_id, target=field, **states)


def field_json(field: CustomField) -> dict[str, Any]:
    return {
        "id": field.public_id,
        "key": field.key,
        "label": field.label,
        "type": field.kind,
        "choices": list(field.choices),
        "created_at": rfc3339(field.created_at),
    }
