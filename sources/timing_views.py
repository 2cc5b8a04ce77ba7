"""The timing of a source: opening hours, and what happens when nobody answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import load
from accounts.rights import Right
from conversations.models import OpeningHours, UnansweredRule
from sources import timing
from sources.timing_forms import HoursForm, RuleForm, initial_of


@login_required
@require_safe
def timing_page(request: PageRequest, source_id: UUID) -> HttpResponse:
    return _show(request, _load(request, source_id))


@login_required
@require_POST
def hours_save(request: PageRequest, source_id: UUID) -> HttpResponse:
    """Save the opening hours; by the button "remove" the source has none of its own."""
    source = _load(request, source_id)
    if "remove" in request.POST:
        timing.remove_hours(source=source, actor=Actor.of(request))
        messages.success(request, "Saved.")
        return redirect("sources:timing", source_id)
    form = HoursForm(request.POST)
    if not form.is_valid():
        return _show(request, source, hours_form=form)
    data = form.cleaned_data
    timing.set_hours(
        source=source, week=form.week, country=data["country"], closed_on=data["closed_on"], actor=Actor.of(request)
    )
    messages.success(request, "Saved.")
    return redirect("sources:timing", source_id)


@login_required
@require_POST
def rule_save(request: PageRequest, source_id: UUID) -> HttpResponse:
    """Save what happens when nobody answers."""
    source = _load(request, source_id)
    form = RuleForm(request.POST)
    if not form.is_valid():
        return _show(request, source, rule_form=form)
    timing.set_rule(source=source, actor=Actor.of(request), **form.cleaned_data)
    messages.success(request, "Saved.")
    return redirect("sources:timing", source_id)


def _load(request: PageRequest, source_id: UUID) -> Source:
    return load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)


def _show(request: PageRequest, source: Source, **forms: Any) -> HttpResponse:
    owners = [owner.pk for owner in (source, source.parent) if owner]
    hours = {row.pk: row for row in OpeningHours.objects.filter(pk__in=owners)}
    rules = {row.pk: row for row in UnansweredRule.objects.filter(pk__in=owners)}
    own, rule = hours.get(source.pk), rules.get(source.pk)
    shown = own or (hours.get(source.parent_id) if source.parent_id else None)
    initial = initial_of(
        shown.week if shown else timing.WORKING_WEEK, shown.country if shown else "", shown.closed_on if shown else []
    )
    inherited = rules.get(source.parent_id) if source.parent_id else None
    values = {
        "source": source,
        "own_hours": own,
        "inherited_hours": None if own else shown,
        "own_rule": rule,
        "inherited_rule": None if rule else inherited,
        "hours_form": HoursForm(initial=initial),
        "rule_form": RuleForm(instance=rule or inherited or UnansweredRule()),
    }
    return render(request, "sources/timing_page.html", values | forms)
