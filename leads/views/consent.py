"""Settings, Consent: what people do not want any more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import membership_with
from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.reach import reach_of
from accounts.rights import Right
from core.keyset import page
from core.problems import Invalid, Refusal
from core.tables import csv_file
from leads.consent import BLOCKABLE, BY_PHONE, address_on, block_address, csv_rows, import_csv, lift
from leads.models import OptOut
from leads.models.consent import OptOutQuerySet

PAGE_SIZE = 50
TABLE_MAX = 1_000_000  # bytes
PROBLEMS_SHOWN = 20
CHANNELS = [(kind.value, kind.label) for kind in BLOCKABLE]


class BlockForm(forms.Form):
    """An address and the channel on which it wants nothing."""

    address = forms.CharField(label="Email or phone number", max_length=254)
    channel = forms.ChoiceField(choices=CHANNELS)


class TableForm(forms.Form):
    """A table of addresses."""

    table = forms.FileField(label="CSV file", help_text="A column “address”, and “channel” where it is not email.")

    def clean_table(self) -> str:
        file = self.cleaned_data["table"]
        if file.size > TABLE_MAX:
            raise forms.ValidationError("The file has more than 1 MB. Take it in parts.")
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError("The file is not UTF-8. Save it as “CSV UTF-8”.") from error
        if "\0" in text:
            raise forms.ValidationError("The file is not a table.")
        return text


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def consent(request: PageRequest) -> HttpResponse:
    """List what is blocked, the newest first, or one address. POST: block one, or (button "take") a table of them."""
    organization_id = _organization(request)
    block_form, table_form = BlockForm(), TableForm()
    if request.method == "POST" and "take" in request.POST:
        table_form = TableForm(request.POST, request.FILES)
        if table_form.is_valid() and _take(request, organization_id, table_form):
            return redirect("leads:consent")
    elif request.method == "POST":
        block_form = BlockForm(request.POST)
        if block_form.is_valid() and _block(request, organization_id, block_form):
            return redirect("leads:consent")
    sought = request.GET.get("address", "").strip()[:254]
    query: dict[str, Any] = {"limit": PAGE_SIZE}
    if request.GET.get("cursor"):
        query["cursor"] = request.GET["cursor"]
    try:
        rows, cursor = page(_sought(organization_id, sought), query)
    except Invalid:
        return redirect("leads:consent")
    values = {"rows": rows, "cursor": cursor, "sought": sought, "block_form": block_form, "table_form": table_form}
    return render(request, "leads/consent_page.html", values)


@login_required
@require_POST
def consent_lift(request: PageRequest, opt_out_id: UUID) -> HttpResponse:
    """Allow an address again."""
    rows = OptOut.objects.filter(organization=_organization(request))
    lift(opt_out=get_object_or_404(rows, pk=opt_out_id), actor=Actor.of(request))
    messages.success(request, "Allowed again.")
    return redirect("leads:consent")


@login_required
@require_safe
def consent_table(request: PageRequest) -> HttpResponseBase:
    """All of it as a file."""
    rows = _sought(_organization(request), "").order_by("id").iterator(chunk_size=500)
    return csv_file("consent.csv", csv_rows(rows))


def _organization(request: PageRequest) -> UUID:
    """The organization, for somebody who may configure all of it: what is blocked holds at every source."""
    membership = membership_with(request, Right.CONFIGURE)
    if membership.organization_id not in reach_of(request.user, Right.CONFIGURE).organization_ids:
        raise PermissionDenied("Consent is kept for the whole organization, and you are limited to some sources.")
    return membership.organization_id


def _sought(organization_id: UUID, address: str) -> OptOutQuerySet:
    rows = OptOut.objects.in_force().filter(organization=organization_id).select_related("created_by")
    if not address:
        return rows
    forms_of_it = set()
    for channel in ("email", *BY_PHONE):
        try:
            forms_of_it.add(address_on(channel, address))
        except Refusal:
            continue
    return rows.of_addresses(organization_id, forms_of_it)


def _block(request: PageRequest, organization_id: UUID, form: BlockForm) -> bool:
    values = form.cleaned_data
    try:
        is_new = block_address(organization_id=organization_id, actor=Actor.of(request), **values)
    except Refusal as refusal:
        form.add_error("address", str(refusal))
        return False
    messages.success(request, "Blocked." if is_new else "It was blocked already.")
    return True


def _take(request: PageRequest, organization_id: UUID, form: TableForm) -> bool:
    try:
        taken = import_csv(organization_id=organization_id, text=form.cleaned_data["table"], actor=Actor.of(request))
    except Refusal as refusal:
        form.add_error("table", str(refusal))
        return False
    messages.success(request, f"{taken.new} blocked, {taken.known} were blocked already.")
    for number, detail in taken.problems[:PROBLEMS_SHOWN]:
        messages.error(request, f"Row {number}: {detail}")
    if len(taken.problems) > PROBLEMS_SHOWN:
        messages.error(request, f"{len(taken.problems) - PROBLEMS_SHOWN} more rows are wrong.")
    return True
