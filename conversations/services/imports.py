"""Begin an import: keep the file, and a job that reads it."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.base import File
from django.db import transaction

from accounts.actors import Actor
from integrations.models import Job, Source
from integrations.outbox import hints
from integrations.problems import Invalid
from leads.importing import KNOWN
from leads.models import LeadImport

FILE_MAX = 64 * 1024 * 1024  # bytes
COLUMNS_MAX = 200


@transaction.atomic
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
    lead_import.file.save(f"{lead_import.pk.hex}.{file_format}", file, save=False)
    lead_import.save(force_insert=True)
    job = Job.objects.create(
        organization_id=source.organization_id,
        source_id=source.pk,
        category=LeadImport.CATEGORY,
        subject_id=lead_import.pk,
    )
    after = {"format": file_format, "dry_run": is_dry_run, "bytes": file.size}
    actor.record("leads.import", organization=source.organization_id, target=source, source_id=source.pk, after=after)
    transaction.on_commit(lambda: hints.send(hints.IMPORTS))
    return job


def read_mapping(text: str) -> dict[str, str]:
    """Read a mapping: a JSON object from columns to our fields; "" leaves a column out. Raise Invalid."""
    try:
        mapping: Any = json.loads(text) if text else {}
    except ValueError as error:
        raise Invalid.at("mapping", "This is not JSON.", kind="parameter") from error
    is_flat = isinstance(mapping, dict) and all(isinstance(one, str) for one in mapping.values())
    if not is_flat or len(mapping) > COLUMNS_MAX:
        words = (
            f'A JSON object like {{"E-Mail": "email"}} with at most {COLUMNS_MAX} columns. Ours: {", ".join(KNOWN)}.'
        )
        raise Invalid.at("mapping", words, kind="parameter")
    return dict(mapping)
