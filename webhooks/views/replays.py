"""Send events of a time again: count them first, follow it, cancel it. For a source's card, and for a subscription."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import load
from accounts.rights import Right
from core.problems import Refusal
from outbox.models import Job
from webhooks.forms import ReplayForm
from webhooks.models import Endpoint, Replay, RestWebhook
from webhooks.services.replays import cancel_replay, start_missed, start_replay
from webhooks.views.webhooks import load_webhook

SHOWN = 20


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replays(request: PageRequest, source_id: UUID) -> HttpResponse:
    """The last replays of a card's webhook, and a form for another one."""
    return _replays(request, _card(request, source_id))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replay(request: PageRequest, source_id: UUID, job_id: UUID) -> HttpResponse:
    """How far a replay of a card's webhook is."""
    return _replay(request, _card(request, source_id), job_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_replays(request: PageRequest, webhook_id: UUID) -> HttpResponse:
    """The last replays of a subscription, and a form for another one."""
    return _replays(request, load_webhook(request, webhook_id))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_replay(request: PageRequest, webhook_id: UUID, job_id: UUID) -> HttpResponse:
    """How far a replay of a subscription is."""
    return _replay(request, load_webhook(request, webhook_id), job_id)


def _replays(request: PageRequest, endpoint: Endpoint) -> HttpResponse:
    """Button "count": only count; "missed": turn a stopped endpoint on and send what it missed; else begin."""
    form = ReplayForm(request.POST if request.method == "POST" and "missed" not in request.POST else None)
    try:
        if "missed" in request.POST:
            return _send_missed(request, endpoint)
        if request.method == "POST" and form.is_valid():
            is_dry_run = "count" in request.POST
            job = start_replay(endpoint=endpoint, actor=Actor.of(request), is_dry_run=is_dry_run, **form.cleaned_data)
            return redirect(_url(endpoint, job))
    except Refusal as refusal:
        form.add_error(None, str(refusal)) if form.is_bound else messages.error(request, str(refusal))
    newest = Replay.objects.filter(lane=endpoint.lane_id).order_by("-id").values("pk")[:SHOWN]
    jobs = [(job, _url(endpoint, job)) for job in Job.objects.filter(subject_id__in=newest).order_by("-id")]
    return render(request, "webhooks/replays_page.html", {"endpoint": endpoint, "form": form, "jobs": jobs})


def _send_missed(request: PageRequest, endpoint: Endpoint) -> HttpResponse:
    job = start_missed(endpoint=endpoint, actor=Actor.of(request))
    if job:
        return redirect(_url(endpoint, job))
    messages.success(request, "Turned on. Nothing was missed.")
    return redirect(endpoint.page_url)


def _replay(request: PageRequest, endpoint: Endpoint, job_id: UUID) -> HttpResponse:
    """POST: button "cancel" ends it, button "send" does what was only counted."""
    plans = Replay.objects.filter(lane=endpoint.lane_id)
    job = get_object_or_404(Job, pk=job_id, category=Replay.CATEGORY, subject_id__in=plans.values("pk"))
    plan = Replay.objects.get(pk=job.subject_id)
    if request.method == "POST":
        try:
            if "send" in request.POST:
                job = _send_what_was_counted(endpoint, plan, Actor.of(request))
            else:
                count = cancel_replay(job=job, actor=Actor.of(request))
                messages.success(request, f"Cancelled. {count} that waited were taken back.")
        except Refusal as refusal:
            messages.error(request, str(refusal))
        return redirect(_url(endpoint, job))
    values: dict[str, Any] = {"endpoint": endpoint, "job": job, "replay": plan, "replay_url": _url(endpoint, job)}
    page = "webhooks/_replay.html" if request.htmx else "webhooks/replay_page.html"
    return render(request, page, values)


def _url(endpoint: Endpoint, job: Job) -> str:
    return f"{endpoint.replays_url}{job.public_id}/"


def _send_what_was_counted(endpoint: Endpoint, plan: Replay, actor: Actor) -> Job:
    return start_replay(
        endpoint=endpoint,
        actor=actor,
        since=plan.since,
        until=plan.until,
        event_types=plan.event_types,
        only_undelivered=plan.only_undelivered,
    )


def _card(request: PageRequest, source_id: UUID) -> RestWebhook:
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    card: RestWebhook = RestWebhook.objects.with_credential_card().select_related("lane").get(source=source)
    return card
