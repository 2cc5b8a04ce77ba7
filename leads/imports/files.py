"""The files of imports: they hold people's data, so they go when they have served."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from leads.models import LeadImport
from outbox.models import Job

FOLDER = "imports"  # in the file store
TRIAL_KEPT = timedelta(hours=1)  # the file of a trial, until the import itself is asked for


def forget_file(lead_import: LeadImport) -> None:
    """Delete the file of an import that has ended."""
    if lead_import.file:
        lead_import.file.delete(save=True)


def forget_files() -> None:
    """Delete the files of all imports that have ended, and files without an import: its start was rolled back."""
    ended = Job.objects.filter(category=LeadImport.CATEGORY).exclude(status__in=Job.UNFINISHED)
    lately = ended.filter(finished_at__gt=timezone.now() - TRIAL_KEPT).values("subject_id")
    rows = LeadImport.objects.filter(pk__in=ended.values("subject_id")).exclude(file="")
    for lead_import in rows.exclude(is_dry_run=True, pk__in=lately):
        forget_file(lead_import)
    _forget_orphans()


def _forget_orphans() -> None:
    for name in _names_below(FOLDER):
        is_old = timezone.now() - default_storage.get_modified_time(name) > TRIAL_KEPT
        if is_old and not LeadImport.objects.filter(file=name).exists():
            default_storage.delete(name)


def _names_below(folder: str) -> Iterator[str]:
    """Yield the name of each file below a folder."""
    if not default_storage.exists(folder):
        return
    folders, files = default_storage.listdir(folder)
    yield from (f"{folder}/{file}" for file in files)
    for inner in folders:
        yield from _names_below(f"{folder}/{inner}")
