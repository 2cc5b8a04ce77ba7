"""Settings of an organization: members, API tokens, the audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Actor
from accounts.middleware import SESSION_KEY, memberships
from accounts.models import AuditEntry, Membership, Right, User
from core.overlaps import OVERLAPS
from core.problems import Refusal
from integrations.access import reach_of
from integrations.forms import TokenForm, zone_choices
from integrations.models import ApiToken, Source
from integrations.services import members, tokens

AUDIT_SHOWN = 100
UNCHOSEN_ZONE = "UTC"  # what a person has before anybody knows better


class MemberForm(forms.Form):
    """A member's role, and the sources they are limited to."""

    name = forms.CharField(max_length=200, required=False)
    email = forms.EmailField()
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.AGENT)
    sources = forms.ModelMultipleChoiceField(
        queryset=Source.objects.none(),
        required=False,
        help_text="None: all sources. A business includes its locations.",
    )

    def __init__(self, *args: Any, membership: Membership, changes: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sources"].queryset = Source.objects.filter(organization=membership.organization)  # type: ignore[attr-defined]
        if changes:
            del self.fields["name"], self.fields["email"]
        for field in self.fields.values():
            is_choice = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if is_choice else "form-control"


class ZoneForm(forms.Form):
    """The zone in which a person reads times."""

    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=zone_choices,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


def mine_with(request: HttpRequest, right: Right) -> Membership:
    """The person's current membership, if it has this right."""
    membership: Membership | None = request.membership or None  # type: ignore[attr-defined]
    if membership is None or not membership.may(right):
        raise PermissionDenied(f"Your role does not include: {right.label.lower()}.")
    return membership


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def members_page(request: HttpRequest) -> HttpResponse:
    """Owners see and invite members."""
    mine = mine_with(request, Right.OWN)
    form = MemberForm(request.POST or None, membership=mine)
    if request.method == "POST" and form.is_valid():
        try:
            invited = members.invite(organization=mine.organization, actor=Actor.of(request), **form.cleaned_data)
        except Refusal as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, f"Invitation sent to {invited.user.email}.")
            return redirect("integrations:members")
    rows = Membership.objects.lasting().filter(organization=mine.organization).select_related("user")
    values = {"form": form, "rows": rows.prefetch_related("source_accesses__source").order_by("created_at")}
    return render(request, "integrations/members_page.html", values)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """Change or (button "remove") remove a member."""
    mine = mine_with(request, Right.OWN)
    rows = Membership.objects.lasting().filter(organization=mine.organization)
    one = get_object_or_404(rows, pk=member_id)
    initial = {"role": one.role, "sources": [access.source_id for access in one.source_accesses.all()]}
    form = MemberForm(request.POST or None, membership=mine, changes=True, initial=initial)
    if request.method == "POST":
        try:
            if "remove" in request.POST:
                members.remove(membership=one, actor=Actor.of(request))
                return redirect("integrations:members")
            if form.is_valid():
                members.change(membership=one, actor=Actor.of(request), **form.cleaned_data)
                messages.success(request, "Saved.")
                return redirect("integrations:members")
        except Refusal as refusal:
            messages.error(request, str(refusal))
    stopping = [token for token in one.tokens.live() if token.is_live]
    return render(request, "integrations/member_page.html", {"form": form, "member": one, "stopping": stopping})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens_page(request: HttpRequest) -> HttpResponse:
    """API tokens: made here, shown in full once. Owners see all, others their own."""
    makes_for_an_app = request.POST.get("kind") == ApiToken.Kind.APP
    mine = mine_with(request, Right.CONFIGURE if makes_for_an_app else Right.READ)
    form, made = TokenForm(request.POST or None, maker=mine), ""
    if request.method == "POST" and form.is_valid():
        try:
            _, made = tokens.make_token(maker=mine, actor=Actor.of(request), **form.settings())
            form = TokenForm(maker=mine)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
    return _tokens(request, mine, form, made)


def _tokens(request: HttpRequest, mine: Membership, form: TokenForm, made: str = "") -> HttpResponse:
    rows = ApiToken.objects.visible_to(request.user).filter(organization=mine.organization)  # type: ignore[arg-type]
    values = {
        "form": form,
        "made": made,
        "mine": mine,
        "may_take_over": mine.may(Right.OWN),
        "rows": rows.select_related("maker__user").order_by("-id")[:100],
    }
    return render(request, "integrations/tokens_page.html", values)


@login_required
@require_POST
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)  # type: ignore[arg-type]
    tokens.revoke_token(token=token, actor=Actor.of(request))
    messages.success(request, f"Revoked {token.name}. Callers with it get 401 from now on.")
    return redirect("integrations:tokens")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_rotate(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Choose how long the old key works beside the new one, then show the new one."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)  # type: ignore[arg-type]
    mine = mine_with(request, Right.READ)
    if request.method == "POST":
        overlap = OVERLAPS.get(request.POST.get("overlap", ""))
        try:
            made = tokens.rotate_token(token=token, actor=Actor.of(request), overlap=overlap)
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return redirect("integrations:tokens")
        return _tokens(request, mine, TokenForm(maker=mine), made)
    return render(request, "integrations/token_rotate_page.html", {"token": token})


@login_required
@require_POST
def token_take_over(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """An owner keeps a token going whose maker goes or went."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)  # type: ignore[arg-type]
    mine = mine_with(request, Right.OWN)
    if token.organization_id != mine.organization_id or token.kind != ApiToken.Kind.APP:
        raise Http404
    tokens.take_over(token=token, by=mine, actor=Actor.of(request))
    messages.success(request, f"{token.name} is yours now, and works with your sources.")
    return redirect("integrations:tokens")


@login_required
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Who changed what. Managers who are limited to sources see the lines of those."""
    mine = mine_with(request, Right.CONFIGURE)
    reach = reach_of(request.user, Right.CONFIGURE)
    rows = AuditEntry.objects.filter(organization=mine.organization).filter(
        Q(organization__in=reach.organization_ids) | Q(source_id__in=reach.source_ids)
    )
    return render(request, "integrations/audit_page.html", {"rows": rows.order_by("-id")[:AUDIT_SHOWN]})


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """The person's own password, factors and organizations."""
    values = {
        "zone": ZoneForm(initial={"time_zone": request.user.time_zone}),  # type: ignore[union-attr]
        "organizations": memberships(request.user),  # type: ignore[arg-type]
        "invitations": Membership.objects.offered_to(request.user),  # type: ignore[arg-type]
    }
    return render(request, "integrations/account_page.html", values)


@login_required
@require_POST
def zone(request: HttpRequest) -> HttpResponse:
    """Show times in another zone from now on. The browser's own is taken (`guess`) until the person chose one."""
    form, user = ZoneForm(request.POST), Actor.of(request).user
    if user is None:
        raise Http404
    is_chosen = user.time_zone != UNCHOSEN_ZONE
    if form.is_valid() and not ("guess" in request.POST and is_chosen):
        User.objects.filter(pk=user.pk).update(time_zone=form.cleaned_data["time_zone"])
        if "guess" not in request.POST:
            messages.success(request, "Saved.")
    return HttpResponse(status=204) if "guess" in request.POST else redirect("integrations:account")


@login_required
@require_POST
def invitation(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """Accept an invitation, or (button "decline") decline it."""
    offered = get_object_or_404(Membership.objects.offered_to(request.user), pk=member_id)  # type: ignore[arg-type]
    members.answer_invitation(membership=offered, actor=Actor.of(request), accepts="decline" not in request.POST)
    return redirect("integrations:account")


@login_required
@require_POST
def switch_organization(request: HttpRequest) -> HttpResponse:
    """Show another organization's lists from now on, if the person is a member of it."""
    wanted = Membership.objects.of(request.user).filter(organization=_uuid(request.POST.get("organization", "")))  # type: ignore[arg-type]
    request.session[SESSION_KEY] = str(get_object_or_404(wanted).organization_id)
    return redirect("/")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
