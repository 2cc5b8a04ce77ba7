"""Begin an import: keep the file, and a job that reads it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.files.base import File
from django.db import transaction

from accounts.actors import Actor
from accounts.models import Source
from core.problems import Invalid, Refusal
from core.text import text_problem
from leads.custom_fields import definitions
from leads.imports.running import KNOWN
from leads.models import LeadImport
from outbox import hints
from outbox.models import Job

FILE_MAX = 64 * 1024 * 1024  # bytes
COLUMNS_MAX = 200
WAITING_MAX = 5  # imports of one organization behind the one that runs


def start_import(
    *, source: Source, actor: Actor, file: File[bytes], file_format: str, identifier: str, mapping: dict[str, str],
    is_dry_run: bool,
) -> Job:  # fmt: skip
    """Keep a file of leads and return the job that reads it. With `is_dry_run` it only says what would be done."""
    lead_import = LeadImport(
        organization_id=source.organization_id,
        source=source,
        format=file_format,
        identifier=identifier,
        mapping=mapping,
        is_dry_run=is_dry_run,
        started_by=actor.name[:250],
    )
    _refuse_unknown(mapping, source.organization_id)
    unfinished = Job.objects.filter(category=LeadImport.CATEGORY, status__in=Job.UNFINISHED)
    if unfinished.filter(organization_id=source.organization_id).count() > WAITING_MAX:
        raise Refusal(
            409, "import.tooMany", f"One import runs and {WAITING_MAX} wait. Start this one when one has ended."
        )
    lead_import.file.save(f"{lead_import.pk.hex}.{file_format}", file, save=False)
    try:
        return _begin(lead_import, actor, file.size)
    except BaseException:
        lead_import.file.delete(save=False)
        raise


@transaction.atomic
def _begin(lead_import: LeadImport, actor: Actor, size: int) -> Job:
    source = lead_import.source
    lead_import.save(force_insert=True)
    job = Job.objects.create(
        organization_id=source.organization_id,
        source_id=source.pk,
        category=LeadImport.CATEGORY,
        subject_id=lead_import.pk,
    )
    after = {"format": lead_import.format, "dry_run": lead_import.is_dry_run, "bytes": size}
    actor.record("leads.import", organization=source.organization_id, target=source, source_id=source.pk, after=after)
    transaction.on_commit(lambda: hints.send(hints.IMPORTS))
    return job


def start_for_real(*, trial: LeadImport, actor: Actor) -> Job:
    """Import the file that was only tried. Raise Refusal `import.fileGone` when it is kept no longer."""
    if not trial.file:
        raise Refusal(409, "import.fileGone", "The file is kept for an hour. Choose it again.")
    with trial.file.open("rb") as file:
        return start_import(
            source=trial.source,
            actor=actor,
            file=file,
            file_format=trial.format,
            identifier=trial.identifier,
            mapping=trial.mapping,
            is_dry_run=False,
        )


def _refuse_unknown(mapping: dict[str, str], organization_id: UUID) -> None:
    """A typo in a mapping must not become a field of its own."""
    if problem := next(filter(None, map(text_problem, [*mapping, *mapping.values()])), ""):
        raise Invalid.at("mapping", problem, kind="parameter")
    named = {name for name in mapping.values() if name and name not in KNOWN}
    unknown = named - definitions(organization_id, named).keys()
    if unknown:
        detail = f"There is no field “{min(unknown)[:100]}”. Ours: {', '.join(KNOWN)}, and your custom fields."
        raise Invalid.at("mapping", detail, kind="parameter")


def read_mapping(text: str) -> dict[str, str]:
    """Read a mapping: a JSON object from columns to our fields; "" leaves a column out. Raise Invalid."""
    try:
        mapping: Any = json.loads(text) if text else {}
    except ValueError as error:
        raise Invalid.at("mapping", "This is not JSON.", kind="parameter") from error
    is_flat = isinstance(mapping, dict) and all(isinstance(target, str) for target in mapping.values())
    if not is_flat or len(mapping) > COLUMNS_MAX:
        detail = (
            f'A JSON object like {{"E-Mail": "email"}} with at most {COLUMNS_MAX} columns. Ours: {", ".join(KNOWN)}.'
        )
        raise Invalid.at("mapping", detail, kind="parameter")
    return dict(mapping)
