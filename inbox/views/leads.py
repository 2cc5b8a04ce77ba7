"""Leads: the list, and one with its conversations and consent."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.reach import load, reach_of
from accounts.rights import Right
from conversations.models import Conversation
from conversations.services.lead_changes import block, unblock
from core.keyset import page
from core.problems import Invalid, Refusal
from leads.models import Lead, OptOut, surviving_id
from leads.views.imports import may_import

PAGE_SIZE = 30


@login_required
@require_safe
def leads(request: PageRequest) -> HttpResponse:
    membership = request.membership
    rows = Lead.objects.visible_to(request.user).real().select_related("source")
    rows = rows.filter(organization_id=membership.organization_id) if membership else rows.none()
    search = request.GET.get("q", "").replace("\x00", "")[:100]
    rows = rows.containing(search)
    query = {"limit": PAGE_SIZE} | ({"cursor": request.GET["cursor"]} if request.GET.get("cursor") else {})
    try:
        found, cursor = page(rows, query)
    except Invalid:
        return redirect("inbox:leads")
    return render(
        request,
        "inbox/leads_page.html",
        {"rows": found, "cursor": cursor, "search": search, "may_import": may_import(request)},
    )


@login_required
@require_safe
def lead(request: PageRequest, lead_id: UUID) -> HttpResponse:
    shown = load(Lead.objects.active().select_related("source__parent"), request, surviving_id(lead_id))
    values = {
        "lead": shown,
        "opt_outs": OptOut.objects.of(shown),
        "conversations": Conversation.objects.filter(lead=shown).select_related("connection").newest_first()[:50],
        "may_answer": reach_of(request.user, Right.ANSWER).includes(shown.source),
    }
    return render(request, "inbox/lead_page.html", values)


@login_required
@require_POST
def lead_consent(request: PageRequest, lead_id: UUID) -> HttpResponse:
    """Block mail to the lead's address in the whole organization, or (button "allow") allow it again."""
    lead = load(Lead.objects.active(), request, surviving_id(lead_id), Right.ANSWER)
    change = unblock if "allow" in request.POST else block
    try:
        change(lead=lead, channel="email", actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("inbox:lead", lead_id)
