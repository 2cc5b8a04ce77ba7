"""Find the lead that somebody is, or make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Source
from core.ids import encode
from core.problems import Refusal
from leads.models import Lead, LeadQuerySet
from messaging.addresses import normalize_email, normalize_phone

CUSTOM_FIELDS_MAX, CUSTOM_SIZE_MAX, TAGS_MAX = 200, 50_000, 100
FILLABLE = ("first_name", "last_name", "email", "phone", "address", "unique_id", "origin", "source_url")


@dataclass
class Details:
    """What an arrival says about the lead. Empty means: not said."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    unique_id: str = ""
    status: str = ""
    origin: str = ""
    source_url: str = ""
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[str, Any] = field(default_factory=dict)
    opt_in: bool = False
    opt_in_transactional_sms: bool = False


@dataclass(frozen=True)
class Identified:
    """The lead, locked, and what this arrival changed about it."""

    lead: Lead
    is_created: bool = False
    has_captured_contact: bool = False


def lock_identities(source: Source, *addresses: str) -> None:
    """Let one transaction at a time decide who an address is: before find-or-create there is no row to lock."""
    keys = sorted({f"{source.pk}:{address.lower()}" for address in addresses if address})
    if keys:
        with connection.cursor() as cursor:  # one after the other, in the order in which they are given
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(%s::text[]) key", [keys])


def identify_by(identifier: str, *, source: Source, details: Details) -> Identified:
    """Find a lead by the identifier that the caller declares ("email" or "unique_id"), else create it.

    Never falls back to another identifier. Raise Refusal `lead.identifierConflict` when filling or creating would
    take what belongs to another lead; then nothing is written.
    """
    lock_identities(source, normalize_email(details.email), details.unique_id)
    email, unique_id = _holders(source, details)
    lead = email if identifier == "email" else unique_id
    other = unique_id if identifier == "email" else email
    taken = "unique_id" if identifier == "email" else "email"
    if other and other != lead and not (lead and getattr(lead, taken)):
        raise Refusal(
            409,
            "lead.identifierConflict",
            f"Another lead of this source has this {taken}.",
            extra={"lead_id": encode("lead", other.pk)},
        )
    return _fill(lead, details) if lead else _create(source, details)


def identify_by_channel(*, source: Source, details: Details) -> Identified:
    """Find the lead last active with the sender's address on this source, else create it."""
    phone = normalize_phone(details.phone) if details.phone else ""
    lock_identities(source, normalize_email(details.email), phone)
    lead = None
    if details.email:
        # At most one has it. first() would order by id, and the planner might then read leads until it comes.
        lead = next(iter(_with_email(_locked(source), normalize_email(details.email))), None)
    elif phone:
        rows = _locked(source).filter(organization=source.organization_id, phone_e164=phone).exclude(phone_e164="")
        lead = rows.order_by("-last_message_at").first()
    return _fill(surviving_lead(lead), details) if lead else _create(source, details)


def _locked(source: Source) -> LeadQuerySet:
    """The source's leads, to be locked. Conditions repeat those of the partial indexes, or these are not used.

    Merged ones too: what names them names the one that remains.
    """
    return Lead.objects.filter(source=source, is_test=False, erased_at=None).select_for_update(no_key=True)


def surviving_lead(lead: Lead) -> Lead:
    """Return the lead that this one became part of, locked, or itself. That one may be merged while we wait for it."""
    while lead.merged_into_id:
        lead = Lead.objects.select_for_update(no_key=True).get(pk=lead.merged_into_id)
    return lead


def _with_email(rows: LeadQuerySet, email: str) -> LeadQuerySet:
    return rows.annotate(lower=Lower("email")).filter(lower=email).exclude(email="")


def _holders(source: Source, details: Details) -> tuple[Lead | None, Lead | None]:
    """Return the lead with the email and the lead with the unique id, both locked, always in the same order."""
    email, unique_id = normalize_email(details.email), details.unique_id
    either = Q(pk__in=[])
    if email:
        either |= Q(lower=email) & ~Q(email="")
    if unique_id:
        either |= Q(unique_id=unique_id) & ~Q(unique_id="")
    leads = list(_locked(source).annotate(lower=Lower("email")).filter(either).order_by("id"))
    by_email = next((lead for lead in leads if email and normalize_email(lead.email) == email), None)
    by_unique_id = next((lead for lead in leads if unique_id and lead.unique_id == unique_id), None)
    return by_email and surviving_lead(by_email), by_unique_id and surviving_lead(by_unique_id)


def refuse_oversize(custom_fields: Mapping[str, Any], tags: Sequence[str]) -> None:
    """Every event carries the lead, so it may not grow without end. Raise Refusal `lead.tooLarge`."""
    size = sum(len(name) + len(str(value)) for name, value in custom_fields.items())
    if len(custom_fields) > CUSTOM_FIELDS_MAX or size > CUSTOM_SIZE_MAX or len(tags) > TAGS_MAX:
        raise Refusal(
            422,
            "lead.tooLarge",
            f"A lead may have {CUSTOM_FIELDS_MAX} custom fields with {CUSTOM_SIZE_MAX} characters in all,"
            f" and {TAGS_MAX} tags.",
        )


def _create(source: Source, details: Details) -> Identified:
    lead = build(source, details)
    lead.save(force_insert=True)
    return Identified(lead, is_created=True)


def build(source: Source, details: Details) -> Lead:
    """Return a new lead that is not yet saved."""
    lead = Lead(
        organization_id=source.organization_id,
        source=source,
        status=details.status or "Lead",
        tags=details.tags,
        custom_fields=details.custom_fields,
        opt_in=details.opt_in,
        opt_in_transactional_sms=details.opt_in_transactional_sms,
    )
    for name in FILLABLE:
        setattr(lead, name, getattr(details, name))
    lead.set_phone(details.phone)
    refuse_oversize(lead.custom_fields, lead.tags)
    if lead.has_contact:
        lead.contact_captured_at = timezone.now()
    return lead


def _fill(lead: Lead, details: Details) -> Identified:
    had_contact = lead.has_contact
    changed = fill_in(lead, details)
    if changed:
        lead.save(update_fields=changed)
    return Identified(lead, has_captured_contact=lead.has_contact and not had_contact)


def fill_in(lead: Lead, details: Details) -> list[str]:
    """Fill what was empty. Identity is never overwritten; custom fields are. Return the names of what changed.

    Raise Refusal `lead.tooLarge`; then the lead is as it was.
    """
    had_contact, changed = lead.has_contact, []
    tags = list(dict.fromkeys([*lead.tags, *details.tags]))
    custom_fields = {**lead.custom_fields, **details.custom_fields}
    refuse_oversize(custom_fields, tags)
    if tags != lead.tags:
        lead.tags = tags
        changed.append("tags")
    if custom_fields != lead.custom_fields:
        lead.custom_fields = custom_fields
        changed.append("custom_fields")
    for name in FILLABLE:
        if getattr(details, name) and not getattr(lead, name):
            setattr(lead, name, getattr(details, name))
            changed.append(name)
    if "phone" in changed:
        lead.set_phone(details.phone)
        changed.append("phone_e164")
    for name in ("opt_in", "opt_in_transactional_sms"):
        if getattr(details, name) and not getattr(lead, name):
            setattr(lead, name, True)
            changed.append(name)
    if lead.has_contact and not had_contact:
        lead.contact_captured_at = timezone.now()
        changed.append("contact_captured_at")
    if changed:
        lead.updated_at = timezone.now()
        changed.append("updated_at")
    return changed
