"""Send events of a time again: count them first, follow it, cancel it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.models import Right
from integrations.access import load
from integrations.forms import ReplayForm
from integrations.models import Job, Replay, RestWebhook, Source
from integrations.problems import Refusal
from integrations.services.replays import cancel_replay, start_missed, start_replay

SHOWN = 20


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replays(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """The last replays of a webhook, and a form for another one (button "count": only count)."""
    card = _load(request, source_id)
    form = ReplayForm(request.POST if request.method == "POST" and "missed" not in request.POST else None)
    try:
        if "missed" in request.POST:
            return _send_missed(request, card)
        if request.method == "POST" and form.is_valid():
            is_dry_run = "count" in request.POST
            job = start_replay(card=card, actor=Actor.of(request), is_dry_run=is_dry_run, **form.cleaned_data)
            return redirect("integrations:replay", source_id, job.pk)
    except Refusal as refusal:
        form.add_error(None, str(refusal)) if form.is_bound else messages.error(request, str(refusal))
    newest = Replay.objects.filter(lane=card.lane_id).order_by("-id").values("pk")[:SHOWN]
    jobs = Job.objects.filter(subject_id__in=newest).order_by("-id")
    return render(request, "integrations/replays_page.html", {"source": card.source, "form": form, "jobs": jobs})


def _send_missed(request: HttpRequest, card: RestWebhook) -> HttpResponse:
    job = start_missed(card=card, actor=Actor.of(request))
    if job:
        return redirect("integrations:replay", card.source_id, job.pk)
    messages.success(request, "Turned on. Nothing was missed.")
    return redirect("integrations:integrations", card.source_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replay(request: HttpRequest, source_id: UUID, job_id: UUID) -> HttpResponse:
    """How far a replay is; POST: button "cancel" ends it, button "send" does what was only counted."""
    card = _load(request, source_id)
    job = get_object_or_404(Job, pk=job_id, source_id=card.source_id, category=Replay.CATEGORY)
    plan = Replay.objects.get(pk=job.subject_id)
    if request.method == "POST":
        try:
            if "send" in request.POST:
                job = _send_what_was_counted(card, plan, Actor.of(request))
            else:
                count = cancel_replay(job=job, card=card, actor=Actor.of(request))
                messages.success(request, f"Cancelled. {count} that waited were taken back.")
        except Refusal as refusal:
            messages.error(request, str(refusal))
        return redirect("integrations:replay", source_id, job.pk)
    values: dict[str, Any] = {"source": card.source, "job": job, "replay": plan}
    page = "integrations/_replay.html" if request.htmx else "integrations/replay_page.html"  # type: ignore[attr-defined]
    return render(request, page, values)


def _send_what_was_counted(card: RestWebhook, plan: Replay, actor: Actor) -> Job:
    return start_replay(
        card=card,
        actor=actor,
        since=plan.since,
        until=plan.until,
        event_types=plan.event_types,
        only_undelivered=plan.only_undelivered,
    )


def _load(request: HttpRequest, source_id: UUID) -> RestWebhook:
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    card: RestWebhook = RestWebhook.objects.with_owner().select_related("lane").get(source=source)
    return card
