"""Opening hours and the alarm for unanswered leads, by API."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import Actor
from accounts.models import Source
from api.base import Api, actor_of, read_body, read_query
from api.fields import StrictString, WholeObject
from api.schema import enveloped
from conversations.models import OpeningHours, UnansweredRule
from conversations.models.timing import AFTER_MAX, CLOSED_MAX, TEXT_LENGTH
from conversations.opening_hours import DAYS, countries, read_spans, write_spans
from core.problems import Invalid
from sources.api import load_source
from sources.timing import remove_hours, set_hours, set_rule

DAY_MAX = 100  # characters of one day's hours


def _day() -> StrictString:
    return StrictString(max_length=DAY_MAX, required=False, allow_blank=True, default="")


class WeekInput(WholeObject):
    """Each day as `09:00-12:00, 13:00-17:00`, in the source's zone; an empty text or none: closed."""

    monday = _day()
    tuesday = _day()
    wednesday = _day()
    thursday = _day()
    friday = _day()
    saturday = _day()
    sunday = _day()


class HoursInput(WholeObject):
    week = WeekInput()
    holidays_of = serializers.ChoiceField(
        choices=list(countries()),
        required=False,
        allow_null=True,
        default=None,
        help_text="A country (ISO 3166-1 alpha-2).",
    )
    closed_on = serializers.ListField(
        child=serializers.DateField(), max_length=CLOSED_MAX, required=False, default=list
    )


class UnansweredInput(WholeObject):
    enabled = serializers.BooleanField()
    after_minutes = serializers.IntegerField(min_value=1, max_value=AFTER_MAX, default=30)
    in_opening_hours = serializers.BooleanField(default=True, help_text="Count only minutes within the opening hours.")
    tells_team = serializers.BooleanField(default=True, help_text="Write to the assignee, or to all who may answer.")
    hands_over = serializers.BooleanField(default=False, help_text="Take the conversation over for the team.")
    text = StrictString(
        max_length=TEXT_LENGTH, default="", allow_blank=True, help_text="Sent to the lead. Empty: nothing is sent."
    )


class TimingInput(WholeObject):
    opening_hours = HoursInput(
        required=False, allow_null=True, help_text="null: always open; a location has those of its business."
    )
    unanswered = UnansweredInput(required=False)


class TimingShown(serializers.Serializer[Any]):
    opening_hours = HoursInput(allow_null=True, help_text="The source's own.")
    unanswered = UnansweredInput(allow_null=True, help_text="The source's own.")


class SourceTimingApi(Api):
    scopes = {"GET": "sources:read", "PATCH": "sources:write"}
    refusals = {"PATCH": ("source.archived",)}

    @extend_schema(
        operation_id="get_source_timing",
        responses=enveloped("timing", TimingShown, many=False),
        tags=["Sources"],
    )
    def get(self, request: Request, source_id: str) -> Response:
        """When a source is open, and what happens when nobody answers. Of a location only what is its own."""
        read_query(request, serializers.Serializer)
        return _shown(load_source(request, source_id))

    @extend_schema(
        operation_id="update_source_timing",
        request=TimingInput,
        responses=enveloped("timing", TimingShown, many=False),
        tags=["Sources"],
    )
    def patch(self, request: Request, source_id: str) -> Response:
        data = read_body(request, TimingInput, partial=True)
        source = load_source(request, source_id)
        actor = actor_of(request)
        with transaction.atomic():  # all of it, or nothing
            _change(source, data, actor)
        return _shown(source)


def _change(source: Source, data: dict[str, Any], actor: Actor) -> None:
    if data.get("opening_hours"):
        hours = data["opening_hours"]
        set_hours(
            source=source,
            week=_week(hours["week"]),
            country=hours["holidays_of"] or "",
            closed_on=sorted(set(hours["closed_on"])),
            actor=actor,
        )
    elif "opening_hours" in data:
        remove_hours(source=source, actor=actor)
    if "unanswered" in data:
        rule = dict(data["unanswered"])
        set_rule(source=source, actor=actor, is_on=rule.pop("enabled"), **rule)


def _week(days: dict[str, str]) -> list[Any]:
    week = []
    for name in DAYS:
        try:
            week.append(read_spans(days.get(name.lower(), "")))
        except ValueError as error:
            raise Invalid.at(f"#/opening_hours/week/{name.lower()}", str(error)) from error
    if not any(week):
        raise Invalid.at("#/opening_hours/week", "Give at least one day its hours, or send null to be always open.")
    return week


def _shown(source: Source) -> Response:
    hours = OpeningHours.objects.filter(pk=source.pk).first()
    rule = UnansweredRule.objects.filter(pk=source.pk).first()
    timing = {"opening_hours": _hours_json(hours) if hours else None, "unanswered": _rule_json(rule) if rule else None}
    return Response({"data": {"timing": timing}})


def _hours_json(hours: OpeningHours) -> dict[str, Any]:
    return {
        "week": {name.lower(): write_spans(spans) for name, spans in zip(DAYS, hours.week, strict=True)},
        "holidays_of": hours.country or None,
        "closed_on": [day.isoformat() for day in hours.closed_on],
    }


def _rule_json(rule: UnansweredRule) -> dict[str, Any]:
    return {
        "enabled": rule.is_on,
        "after_minutes": rule.after_minutes,
        "in_opening_hours": rule.in_opening_hours,
        "tells_team": rule.tells_team,
        "hands_over": rule.hands_over,
        "text": rule.text,
    }
