"""The pages of imports."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.models import Source
from accounts.reach import reach_of
from accounts.rights import Right
from core.problems import Invalid, Refusal
from leads.api.imports import problems_csv
from leads.imports.running import KNOWN, result_of
from leads.imports.services import FILE_MAX, start_for_real, start_import
from leads.models import LeadImport
from outbox.models import Job

SHOWN = 20
SUFFIXES = {"csv": LeadImport.Format.CSV, "json": LeadImport.Format.JSON, "ndjson": LeadImport.Format.NDJSON,
            "jsonl": LeadImport.Format.NDJSON, "txt": LeadImport.Format.CSV, "tsv": LeadImport.Format.CSV}  # fmt: skip


class ImportForm(forms.Form):
    """A file, the source that its leads belong to, and what its columns mean."""

    source = forms.ModelChoiceField(queryset=Source.objects.none(), empty_label=None)
    file = forms.FileField(help_text="CSV, JSON or NDJSON, up to 100,000 leads and 64 MB.")
    identifier = forms.ChoiceField(label="Match leads by", choices=LeadImport.Identifier.choices)
    mapping = forms.CharField(
        label="Rename columns",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Kontakt = email\nVorname = first_name\nNotes ="}),
        help_text=f"One per line: column = field. Leave the field empty to skip the column. Fields: {', '.join(KNOWN)}."
        " Other columns become custom fields.",
    )

    def __init__(self, *args: Any, user: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        sources: Any = self.fields["source"]
        sources.queryset = Source.objects.active().visible_to(user, Right.CONFIGURE).order_by("name")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > FILE_MAX:
            raise forms.ValidationError("The file has more than 64 MB.")
        if file.name.rpartition(".")[2].lower() not in SUFFIXES:
            raise forms.ValidationError("The name of the file ends in .csv, .json or .ndjson.")
        return file

    def clean_mapping(self) -> dict[str, str]:
        mapping = {}
        for line in filter(None, map(str.strip, self.cleaned_data["mapping"].splitlines())):
            column, sign, name = line.rpartition("=")
            if not sign:
                raise forms.ValidationError(f"“{line[:60]}” is not a column. Write it as column = field.")
            mapping[column.strip()] = name.strip()
        return mapping


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: PageRequest) -> HttpResponse:
    """The last imports, and a form for another one (button "try": only say what would be done)."""
    if not may_import(request):
        raise PermissionDenied(f"Your role does not include: {Right.CONFIGURE.label.lower()}.")
    form = ImportForm(request.POST or None, request.FILES or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            job = start_import(
                source=values["source"],
                actor=Actor.of(request),
                file=values["file"],
                file_format=SUFFIXES[values["file"].name.rpartition(".")[2].lower()],
                identifier=values["identifier"],
                mapping=values["mapping"],
                is_dry_run="try" in request.POST,
            )
        except Invalid as invalid:
            form.add_error("mapping", invalid.extra["errors"][0]["detail"])
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("leads:import", job.pk)
    jobs = _jobs(request).order_by("-id")[:SHOWN]
    return render(request, "leads/imports_page.html", {"form": form, "jobs": jobs})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def lead_import(request: PageRequest, job_id: UUID) -> HttpResponse:
    """How far an import is. POST: stop it; what was written stays. Button "import": do what was tried."""
    job = get_object_or_404(_jobs(request), pk=job_id)
    if "import" in request.POST:
        return _import_for_real(request, job)
    if request.method == "POST":
        job.cancel(f"by {request.user}")
        messages.success(request, "Cancelled. What was written stays.")
        return redirect("leads:import", job.pk)
    lead_import = LeadImport.objects.select_related("source").get(pk=job.subject_id)
    values = {"job": job, "lead_import": lead_import, "counts": result_of(lead_import)}
    page = "leads/_import.html" if request.htmx else "leads/import_page.html"
    return render(request, page, values)


def _import_for_real(request: PageRequest, trial: Job) -> HttpResponse:
    lead_import = get_object_or_404(LeadImport.objects.select_related("source"), pk=trial.subject_id, is_dry_run=True)
    try:
        job = start_for_real(trial=lead_import, actor=Actor.of(request))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("leads:imports")
    return redirect("leads:import", job.pk)


@login_required
@require_safe
def import_errors(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """What was left out, as a file."""
    return problems_csv(get_object_or_404(_jobs(request), pk=job_id).subject_id)


def _jobs(request: PageRequest) -> Any:
    if not may_import(request):
        raise Http404
    theirs = reach_of(request.user, Right.CONFIGURE).where(organization="organization_id", source="source_id")
    return Job.objects.filter(theirs, category=LeadImport.CATEGORY)


def may_import(request: PageRequest) -> bool:
    """True if the person may configure a source. Adding hundreds of leads at once is not an agent's daily work."""
    reach = reach_of(request.user, Right.CONFIGURE)
    return bool(reach.organization_ids or reach.source_ids)
