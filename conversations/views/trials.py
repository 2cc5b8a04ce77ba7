"""Send a test lead, and watch it go round."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import Right
from conversations.models import Conversation
from conversations.services import trials
from integrations.access import load
from integrations.models import Source


@login_required
@require_POST
def trial_start(request: HttpRequest, source_id: UUID) -> HttpResponse:
    source = load(Source.objects.select_related("parent"), request, source_id, Right.CONFIGURE)
    tester = request.user
    conversation = trials.send_test_lead(source=source, tester=tester, actor=Actor.of(request))  # type: ignore[arg-type]
    return redirect("conversations:trial", conversation.pk)


@login_required
@require_safe
def trial(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Each hop with its time, or where it stopped and what to do; asks again by itself while it runs."""
    rows = Conversation.objects.filter(lead__is_test=True).select_related("lead", "source__parent")
    found = load(rows, request, conversation_id)
    page = "conversations/_trial.html" if request.htmx else "conversations/trial_page.html"  # type: ignore[attr-defined]
    return render(request, page, {"trial": trials.follow(found), "source": found.source})
