"""Import leads from a file: in portions that commit with the place where they end, so that a kill loses nothing.

An imported lead is not an arrival: it opens no conversation and is told to no webhook.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower

from core.problems import Refusal
from core.text import text_problem
from leads.custom_fields import coerce_with, definitions
from leads.imports.files import forget_file
from leads.imports.rows import ROWS_MAX, Row, Unreadable, read_rows
from leads.models import CustomField, ImportProblem, Lead, LeadImport
from leads.services import Details, build, fill_in, lock_identities, surviving_lead
from messaging.addresses import is_email, normalize_email
from outbox.models import Job

PORTION = 200  # rows in one transaction
PORTIONS_AT_ONCE = 50  # before other jobs have their turn
REST = 0.5  # of the time that a portion took: callers of the API have the machine too
PROBLEMS_MAX = 100_000
TEXTS = {"first_name": 200, "last_name": 200, "email": 254, "phone": 60, "address": 1_000, "unique_id": 200,
         "status": 100, "source": 200, "source_url": 2_000}  # fmt: skip
TRUTHS = ("opt_in", "opt_in_transactional_sms")
KNOWN = (*TEXTS, *TRUTHS, "tags")
YES, NO = {"true", "yes", "1", "y"}, {"false", "no", "0", "n", ""}
# How columns are called elsewhere.
ALIASES = {"mail": "email", "email_address": "email", "e_mail": "email", "mobile": "phone", "phone_number": "phone",
           "telephone": "phone", "firstname": "first_name", "lastname": "last_name", "surname": "last_name",
           "id": "unique_id", "external_id": "unique_id", "tag": "tags"}  # fmt: skip
_UPDATED = ["first_name", "last_name", "email", "phone", "phone_e164", "address", "unique_id", "origin", "source_url",
            "tags", "custom_fields", "opt_in", "opt_in_transactional_sms", "contact_captured_at",
            "updated_at"]  # fmt: skip


class BadRow(Exception):
    """A row that is left out: the field, and why."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field, self.detail = field, detail


def field_of(column: str, mapping: dict[str, str]) -> str:
    """Our field of a column: as the mapping says, else one of the same name, else a custom field. "": left out."""
    if column in mapping:
        return mapping[column]
    plain = "_".join(column.strip().lower().replace("-", " ").split())
    plain = ALIASES.get(plain, plain)
    return plain if plain in KNOWN else column.strip()


def run_import(import_id: UUID) -> timedelta | None:
    """Do some portions. Return when to go on, None when it is through."""
    lead_import = LeadImport.objects.select_related("source").get(pk=import_id)
    job = Job.objects.get(subject_id=import_id)
    if job.status == Job.Status.CANCELLED:
        forget_file(lead_import)
        return None
    try:
        if job.total is None:
            _count(lead_import)
        with lead_import.file.open("rb") as file:
            rows = itertools.islice(read_rows(file, lead_import.format), lead_import.position, ROWS_MAX)
            for _ in range(PORTIONS_AT_ONCE):
                portion = list(itertools.islice(rows, PORTION))
                if not portion:
                    _end(lead_import)
                    return None
                started = time.monotonic()
                if not _take(lead_import, portion):
                    return timedelta(0)  # cancelled, or somebody else did it: look again
                time.sleep(REST * (time.monotonic() - started))
    except Unreadable as error:
        _note(lead_import, [(lead_import.position + 1, "", str(error))])
        _end(lead_import)
        return None
    return timedelta(0)


def _count(lead_import: LeadImport) -> None:
    with lead_import.file.open("rb") as file:
        total = sum(1 for _ in itertools.islice(read_rows(file, lead_import.format), ROWS_MAX + 1))
    if total > ROWS_MAX:
        _note(lead_import, [(ROWS_MAX + 1, "", f"An import has at most {ROWS_MAX} rows. The others were left out.")])
    Job.objects.filter(subject_id=lead_import.pk).update(total=min(total, ROWS_MAX))


def _end(lead_import: LeadImport) -> None:
    if not lead_import.is_dry_run:  # a trial's file is kept for a while, so that the import itself can follow
        forget_file(lead_import)
    Job.objects.filter(subject_id=lead_import.pk).update(result=result_of(lead_import))


def result_of(lead_import: LeadImport) -> dict[str, Any]:
    names = ("created", "updated", "unchanged", "repeated", "failed")
    return {"dry_run": lead_import.is_dry_run, **{name: getattr(lead_import, name) for name in names}}


@dataclass
class Counts:
    """What a portion came to."""

    problems: list[tuple[int, str, str]] = field(default_factory=list)
    created: list[Lead] = field(default_factory=list)
    updated: dict[UUID, Lead] = field(default_factory=dict)
    unchanged: int = 0
    repeated: int = 0  # rows about a lead that the file has named before


@transaction.atomic
def _take(lead_import: LeadImport, rows: list[Row]) -> bool:
    """Write a portion and the place where it ends. False when it is not ours to write."""
    locked = LeadImport.objects.select_for_update().get(pk=lead_import.pk)
    job = Job.objects.select_for_update().get(subject_id=lead_import.pk)
    if locked.position != lead_import.position or job.status == Job.Status.CANCELLED:
        return False
    counts = _sort_out(lead_import, rows)
    if not lead_import.is_dry_run:
        Lead.objects.bulk_create(counts.created)
        Lead.objects.bulk_update(counts.updated.values(), _UPDATED)
    lead_import.position += len(rows)
    lead_import.created += len(counts.created)
    lead_import.updated += len(counts.updated)
    lead_import.unchanged += counts.unchanged
    lead_import.repeated += counts.repeated
    _note(lead_import, counts.problems)
    lead_import.save(update_fields=["position", "created", "updated", "unchanged", "repeated"])
    job.done = lead_import.position
    job.save(update_fields=["done"])
    return True


def _note(lead_import: LeadImport, problems: list[tuple[int, str, str]]) -> None:
    if lead_import.failed < PROBLEMS_MAX:
        ImportProblem.objects.bulk_create(
            ImportProblem(lead_import=lead_import, row=row, field=name[:100], detail=detail[:500])
            for row, name, detail in problems
        )
    lead_import.failed += len(problems)
    lead_import.save(update_fields=["failed"])


def _sort_out(lead_import: LeadImport, rows: list[Row]) -> Counts:
    """Find the lead of each row, or make one; within the portion too."""
    counts, good = Counts(), []
    columns = {column for row in rows if isinstance(row, dict) for column in row}
    names = {field_of(str(column), lead_import.mapping) for column in columns}
    fields = definitions(lead_import.organization_id, {name for name in names if not text_problem(name)})
    for number, row in enumerate(rows, lead_import.position + 1):
        try:
            if isinstance(row, str):
                raise BadRow("", row)
            good.append((number, details_of(row, lead_import, fields)))
        except BadRow as bad:
            counts.problems.append((number, bad.field, bad.detail))
    emails, unique_ids = _known(lead_import, [details for _, details in good])
    for number, details in good:
        try:
            _place(lead_import, details, emails, unique_ids, counts)
        except BadRow as bad:
            counts.problems.append((number, bad.field, bad.detail))
        except Refusal as refusal:
            counts.problems.append((number, "", refusal.detail))
    counts.problems.sort()
    return counts


def _known(lead_import: LeadImport, rows: Iterable[Details]) -> tuple[dict[str, Lead], dict[str, Lead]]:
    """The leads that have one of these emails or unique ids, locked."""
    emails = {normalize_email(row.email) for row in rows if row.email}
    unique_ids = {row.unique_id for row in rows if row.unique_id}
    lock_identities(lead_import.source, *emails, *unique_ids)
    leads = Lead.objects.filter(source=lead_import.source_id, is_test=False, erased_at=None)
    leads = leads.alias(lower=Lower("email"))
    known = leads.filter((Q(lower__in=emails) & ~Q(email="")) | (Q(unique_id__in=unique_ids) & ~Q(unique_id="")))
    locked = list(known.select_for_update(no_key=True).order_by("pk"))
    one_of_each = _survivor_of(locked)
    return (
        {normalize_email(lead.email): one_of_each[lead.pk] for lead in locked if lead.email},
        {lead.unique_id: one_of_each[lead.pk] for lead in locked if lead.unique_id},
    )


def _survivor_of(leads: list[Lead]) -> dict[UUID, Lead]:
    """The lead that each became part of, or itself; one object for one lead, however many name it."""
    one_of_each = {lead.pk: lead for lead in leads}
    for lead in leads:
        if lead.merged_into_id:
            last = surviving_lead(lead)
            one_of_each[lead.pk] = one_of_each.setdefault(last.pk, last)
    return one_of_each


def _place(
    lead_import: LeadImport, details: Details, emails: dict[str, Lead], unique_ids: dict[str, Lead], counts: Counts
) -> None:
    """Find by the declared identifier, never by another; what belongs to another lead is a conflict."""
    email = normalize_email(details.email)
    by_email, by_unique_id = emails.get(email) if email else None, unique_ids.get(details.unique_id or "\0")
    is_by_email = lead_import.identifier == LeadImport.Identifier.EMAIL
    lead, other = (by_email, by_unique_id) if is_by_email else (by_unique_id, by_email)
    taken = "unique_id" if is_by_email else "email"
    if other and other is not lead and not (lead and getattr(lead, taken)):
        raise BadRow(taken, f"Another lead of this source has this {taken}: {other.public_id}.")
    if lead is None:
        lead = build(lead_import.source, details)
        counts.created.append(lead)
    elif fill_in(lead, details):
        if lead._state.adding or lead.pk in counts.updated:  # a row above made or changed it
            counts.repeated += 1
        else:
            counts.updated[lead.pk] = lead
    elif lead._state.adding or lead.pk in counts.updated:
        counts.repeated += 1
    else:
        counts.unchanged += 1
    if lead.email:
        emails[normalize_email(lead.email)] = lead
    if lead.unique_id:
        unique_ids[lead.unique_id] = lead


def details_of(row: dict[str, Any], lead_import: LeadImport, fields: dict[str, CustomField]) -> Details:
    """What a row says of its lead. Raise BadRow."""
    given: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for column, value in row.items():
        name = field_of(str(column), lead_import.mapping)
        if not name or value is None or value == "":
            continue
        if problem := text_problem(name):
            raise BadRow("", f"The name of a column cannot be kept. {problem}")
        if isinstance(value, str) and (problem := text_problem(value)):
            raise BadRow(name, problem)
        (given if name in KNOWN else custom)[name] = value
    if isinstance(custom.get("custom_fields"), dict):
        custom |= custom.pop("custom_fields")
    for name, value in custom.items():
        if problem := text_problem(name) or (text_problem(value) if isinstance(value, str) else ""):
            raise BadRow("custom_fields", problem)
    coerced, errors = coerce_with(fields, custom)
    for name, problem in errors.items():
        raise BadRow(name, problem)
    texts = {name: _text(name, given[name], most) for name, most in TEXTS.items() if name in given}
    if not texts.get(lead_import.identifier):
        raise BadRow(lead_import.identifier, "It is missing, and says which lead this is.")
    if texts.get("email") and not is_email(texts["email"]):
        raise BadRow("email", "This is not an email address.")
    texts["origin"] = texts.pop("source", "")
    truths = {name: _truth(name, given[name]) for name in TRUTHS if name in given}
    details: dict[str, Any] = {**texts, **truths, "tags": _tags(given.get("tags", [])), "custom_fields": coerced}
    return Details(**details)


def _text(name: str, value: Any, most: int) -> str:
    if isinstance(value, dict | list | bool):
        raise BadRow(name, "This is not text.")
    text = str(value).strip()
    if len(text) > most:
        raise BadRow(name, f"At most {most} characters.")
    return text


def _truth(name: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in YES | NO:
        raise BadRow(name, "Write yes or no.")
    return word in YES


def _tags(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) > 100:
        raise BadRow("tags", "A list of at most 100 tags, or one text with commas.")
    tags = list(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))
    if any(len(tag) > 100 for tag in tags):
        raise BadRow("tags", "A tag has at most 100 characters.")
    if problem := next(filter(None, map(text_problem, tags)), ""):
        raise BadRow("tags", problem)
    return tags
