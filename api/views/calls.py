"""API calls of an organization: who called what, and how it was answered. Bodies are not kept."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import load
from api.models import ApiCall
from core.keyset import page
from core.problems import Invalid

PAGE_SIZE = 50
OUTCOMES = {
    "good": {"status__lt": 400},
    "refused": {"status__gte": 400, "status__lt": 500},
    "failed": {"status__gte": 500},
}
KINDS = [("source_key", "A source's key"), ("app", "App"), ("staff", "Staff"), ("directory", "Directory")]


class CallsForm(forms.Form):
    """What to look for."""

    request_id = forms.CharField(label="Request id", required=False, max_length=128)
    path = forms.CharField(label="Path, like /v1/leads", required=False, max_length=100)
    method = forms.ChoiceField(
        required=False,
        choices=[("", "Any method"), *((method, method) for method in ("GET", "POST", "PATCH", "DELETE"))],
    )
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", "Any answer"), ("good", "Answered"), ("refused", "Refused (4xx)"), ("failed", "Failed (5xx)")],
    )
    kind = forms.ChoiceField(
        label="Key",
        required=False,
        choices=[("", "Any key"), *KINDS],
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.Select):
                field.widget.attrs["placeholder"] = field.label


@login_required
@require_safe
def calls(request: PageRequest) -> HttpResponse:
    """The newest calls that the person may see, with filters."""
    membership = request.membership
    rows = ApiCall.objects.visible_to(request.user)
    rows = rows.filter(organization_id=membership.organization_id) if membership else rows.none()
    form = CallsForm(request.GET)
    if form.is_valid():
        rows = _filtered(rows, form.cleaned_data)
    cursor = request.GET.get("cursor")
    try:
        shown_calls, next_cursor = page(rows, {"limit": PAGE_SIZE} | ({"cursor": cursor} if cursor else {}))
    except Invalid:
        return redirect("api:calls")
    kept = request.GET.copy()
    kept.pop("cursor", None)
    values = {"form": form, "rows": shown_calls, "cursor": next_cursor, "query": kept.urlencode()}
    return render(request, "api/calls_page.html", values)


def _filtered(rows: Any, wanted: dict[str, str]) -> Any:
    for name in ("request_id", "method", "kind"):
        if wanted[name]:
            rows = rows.filter(**{name: wanted[name]})
    if wanted["path"]:
        rows = rows.filter(path__startswith=wanted["path"])
    return rows.filter(**OUTCOMES.get(wanted["outcome"], {}))


@login_required
@require_safe
def api_call(request: PageRequest, call_id: UUID) -> HttpResponse:
    """One call of the API: who called, what for, and how it was answered. Bodies are not kept."""
    call = load(ApiCall.objects.all(), request, call_id)
    sources = Source.objects.visible_to(request.user)
    source = sources.filter(pk=call.source_id).first() if call.source_id else None
    return render(request, "api/api_call_page.html", {"call": call, "source": source})
