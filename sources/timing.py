"""Change when a source is open, and what happens when nobody answers."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Source
from conversations.models import OpeningHours, UnansweredRule
from conversations.opening_hours import Span

WORKING_WEEK: list[list[Span]] = [*([[(9 * 60, 17 * 60)]] * 5), [], []]  # what the form offers first


@transaction.atomic
def set_hours(
    *, source: Source, week: list[list[Span]], country: str, closed_on: list[date], actor: Actor
) -> OpeningHours:
    """Give a source hours of its own."""
    before = _shown(OpeningHours.objects.select_for_update().filter(pk=source.pk).first())
    values = {"week": week, "country": country, "closed_on": closed_on}
    hours, _ = OpeningHours.objects.update_or_create(pk=source.pk, defaults=values)
    _record(source, "source.hours", actor, before, _shown(hours))
    return hours


@transaction.atomic
def remove_hours(*, source: Source, actor: Actor) -> None:
    """Let a source always be open, or, a location, have the hours of its business."""
    hours = OpeningHours.objects.select_for_update().filter(pk=source.pk).first()
    if hours:
        before = _shown(hours)
        hours.delete()
        _record(source, "source.hours", actor, before, {})


@transaction.atomic
def set_rule(*, source: Source, actor: Actor, **values: Any) -> UnansweredRule:
    """Say what happens when nobody answers a lead of a source, from now on: who waits already is not alarmed."""
    previous = UnansweredRule.objects.select_for_update().filter(pk=source.pk).first()
    before = _shown(previous)
    if values["is_on"] and not (previous and previous.is_on):
        values["on_since"] = timezone.now()
    rule, _ = UnansweredRule.objects.update_or_create(pk=source.pk, defaults=values)
    _record(source, "source.unanswered", actor, before, _shown(rule))
    return rule


def _shown(row: OpeningHours | UnansweredRule | None) -> dict[str, Any]:
    values = model_to_dict(row) if row else {}
    values.pop("source", None)
    return {name: [str(day) for day in value] if name == "closed_on" else value for name, value in values.items()}


def _record(source: Source, action: str, actor: Actor, before: dict[str, Any], after: dict[str, Any]) -> None:
    if before != after:
        actor.record(
            action,
            organization=source.organization_id,
            target=source,
            source_id=source.pk,
            before=before,
            after=after,
        )
