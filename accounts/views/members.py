"""The members of an organization."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.forms import MemberForm
from accounts.http import PageRequest
from accounts.models import Membership
from accounts.rights import Right
from accounts.services import members
from core.problems import Refusal


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def members_page(request: PageRequest) -> HttpResponse:
    """Owners see and invite members."""
    mine = membership_with(request, Right.OWN)
    form = MemberForm(request.POST or None, membership=mine)
    if request.method == "POST" and form.is_valid():
        try:
            invited = members.invite(organization=mine.organization, actor=Actor.of(request), **form.cleaned_data)
        except Refusal as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, f"Invitation sent to {invited.user.email}.")
            return redirect("accounts:members")
    rows = Membership.objects.not_removed().filter(organization=mine.organization).select_related("user")
    values = {"form": form, "rows": rows.prefetch_related("source_accesses__source").order_by("created_at")}
    return render(request, "accounts/members_page.html", values)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: PageRequest, member_id: UUID) -> HttpResponse:
    """Change or (button "remove") remove a member."""
    mine = membership_with(request, Right.OWN)
    rows = Membership.objects.not_removed().filter(organization=mine.organization)
    membership = get_object_or_404(rows, pk=member_id)
    initial = {"role": membership.role, "sources": [access.source_id for access in membership.source_accesses.all()]}
    form = MemberForm(request.POST or None, membership=mine, changes=True, initial=initial)
    if request.method == "POST":
        try:
            if "remove" in request.POST:
                members.remove(membership=membership, actor=Actor.of(request))
                return redirect("accounts:members")
            if form.is_valid():
                members.change(membership=membership, actor=Actor.of(request), **form.cleaned_data)
                messages.success(request, "Saved.")
                return redirect("accounts:members")
        except Refusal as refusal:
            messages.error(request, str(refusal))
    stopping = [token for token in membership.tokens.active() if token.is_live]
    return render(request, "accounts/member_page.html", {"form": form, "member": membership, "stopping": stopping})
