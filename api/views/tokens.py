"""API tokens: created here, shown in full once."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Membership
from accounts.rights import Right
from api import services as tokens
from api.forms import TokenForm
from api.models import ApiToken
from core.overlaps import OVERLAPS
from core.problems import Refusal


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens_page(request: PageRequest) -> HttpResponse:
    """API tokens: new_key here, shown in full once. Owners see all, others their own."""
    makes_for_an_app = request.POST.get("kind") == ApiToken.Kind.APP
    mine = membership_with(request, Right.CONFIGURE if makes_for_an_app else Right.READ)
    form, new_key = TokenForm(request.POST or None, creator=mine), ""
    if request.method == "POST" and form.is_valid():
        try:
            _, new_key = tokens.make_token(creator=mine, actor=Actor.of(request), **form.settings())
            form = TokenForm(creator=mine)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
    return _tokens(request, mine, form, new_key)


def _tokens(request: PageRequest, mine: Membership, form: TokenForm, new_key: str = "") -> HttpResponse:
    rows = ApiToken.objects.visible_to(request.user).filter(organization=mine.organization)
    values = {
        "form": form,
        "new_key": new_key,
        "mine": mine,
        "may_take_over": mine.may(Right.OWN),
        "rows": rows.select_related("creator__user").order_by("-id")[:100],
    }
    return render(request, "api/tokens_page.html", values)


@login_required
@require_POST
def token_revoke(request: PageRequest, token_id: UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)
    tokens.revoke_token(token=token, actor=Actor.of(request))
    messages.success(request, f"Revoked {token.name}. Callers with it get 401 from now on.")
    return redirect("api:tokens")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_rotate(request: PageRequest, token_id: UUID) -> HttpResponse:
    """Choose how long the old key works beside the new one, then show the new one."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)
    mine = membership_with(request, Right.READ)
    if request.method == "POST":
        overlap = OVERLAPS.get(request.POST.get("overlap", ""))
        try:
            new_key = tokens.rotate_token(token=token, actor=Actor.of(request), overlap=overlap)
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return redirect("api:tokens")
        return _tokens(request, mine, TokenForm(creator=mine), new_key)
    return render(request, "api/token_rotate_page.html", {"token": token})


@login_required
@require_POST
def token_transfer(request: PageRequest, token_id: UUID) -> HttpResponse:
    """An owner keeps a token going whose creator goes or went."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id, revoked_at=None)
    mine = membership_with(request, Right.OWN)
    if token.organization_id != mine.organization_id or token.kind != ApiToken.Kind.APP:
        raise Http404
    tokens.transfer(token=token, by=mine, actor=Actor.of(request))
    messages.success(request, f"{token.name} is yours now, and works with your sources.")
    return redirect("api:tokens")
