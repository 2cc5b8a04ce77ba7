"""A person's own account: zone, organizations, invitations."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.forms import TextsForm, ZoneForm
from accounts.http import PageRequest
from accounts.middleware import SESSION_KEY
from accounts.models import Membership, User
from accounts.services import members

UNCHOSEN_ZONE = "UTC"  # what a person has before anybody knows better


@login_required
@require_safe
def account(request: PageRequest) -> HttpResponse:
    """The person's own password, factors and organizations."""
    return _page(request)


def _page(request: PageRequest, *, texts: TextsForm | None = None) -> HttpResponse:
    user = request.user
    values = {
        "texts": texts or TextsForm(initial={"phone": user.phone, "texts": user.texts_at is not None}),
        "zone": ZoneForm(initial={"time_zone": user.time_zone}),
        "organizations": user.current_memberships,
        "invitations": Membership.objects.offered_to(user),
    }
    return render(request, "accounts/account_page.html", values)


@login_required
@require_POST
def zone(request: PageRequest) -> HttpResponse:
    """Show times in another zone from now on. The browser's own is taken (`guess`) until the person chose one."""
    form, user = ZoneForm(request.POST), Actor.of(request).user
    if user is None:
        raise Http404
    is_chosen = user.time_zone != UNCHOSEN_ZONE
    if form.is_valid() and not ("guess" in request.POST and is_chosen):
        User.objects.filter(pk=user.pk).update(time_zone=form.cleaned_data["time_zone"])
        if "guess" not in request.POST:
            messages.success(request, "Saved.")
    return HttpResponse(status=204) if "guess" in request.POST else redirect("accounts:account")


@login_required
@require_POST
def texts(request: PageRequest) -> HttpResponse:
    """Keep the person's phone number, and whether they want SMS about new leads."""
    form = TextsForm(request.POST)
    if not form.is_valid():
        return _page(request, texts=form)
    texts_at = (request.user.texts_at or timezone.now()) if form.cleaned_data["texts"] else None
    User.objects.filter(pk=request.user.pk).update(phone=form.cleaned_data["phone"], texts_at=texts_at)
    messages.success(request, "Saved.")
    return redirect("accounts:account")


@login_required
@require_POST
def invitation(request: PageRequest, member_id: UUID) -> HttpResponse:
    """Accept an invitation, or (button "decline") decline it."""
    offered = get_object_or_404(Membership.objects.offered_to(request.user), pk=member_id)
    members.answer_invitation(membership=offered, actor=Actor.of(request), accepts="decline" not in request.POST)
    return redirect("accounts:account")


@login_required
@require_POST
def switch_organization(request: PageRequest) -> HttpResponse:
    """Show another organization's lists from now on, if the person is a member of it."""
    mine = Membership.objects.active().filter(user=request.user)
    chosen = mine.filter(organization=_uuid(request.POST.get("organization", "")))
    request.session[SESSION_KEY] = str(get_object_or_404(chosen).organization_id)
    return redirect("/")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
