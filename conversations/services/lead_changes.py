"""Change what is known of a lead, and what it consents to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from conversations.services.events import publish_lead_event
from core.ids import encode
from core.problems import Invalid, NotFound, Refusal
from leads.consent import lift_opt_out, opt_out
from leads.custom_fields import coerce
from leads.models import Lead, OptOut
from leads.services import lock_identities, refuse_oversize
from messaging.addresses import normalize_email
from webhooks.event_types import EventType

PLAIN = ("first_name", "last_name", "email", "address", "status", "tags", "origin", "source_url", "opt_in",
         "opt_in_transactional_sms", "unique_id")  # fmt: skip


def lock_lead(lead_id: UUID) -> Lead:
    """Read a lead again, locked. Raise NotFound if it was erased or merged since."""
    rows = Lead.objects.active().select_for_update(of=("self",), no_key=True).select_related("source")
    lead = rows.filter(pk=lead_id).first()
    if lead is None:
        raise NotFound("lead")
    return lead


@transaction.atomic
def change_lead(*, lead: Lead, actor: Actor, changes: Mapping[str, Any]) -> Lead:
    """Overwrite what is given. `custom_fields` are merged by name, None removes one.

    Raise Refusal `lead.identifierConflict` when another lead of the source has the email or the unique id, Invalid
    for a custom field; then nothing is written.
    """
    lock_identities(lead.source, normalize_email(changes.get("email", "")), changes.get("unique_id", ""))
    lead = lock_lead(lead.pk)
    had_contact, before = lead.has_contact, _state(lead)
    _free_identities(lead, changes)
    for name in PLAIN:
        if name in changes:
            setattr(lead, name, changes[name])
    if "phone" in changes:
        lead.set_phone(changes["phone"])
    if "custom_fields" in changes:
        _merge_fields(lead, changes["custom_fields"])
    refuse_oversize(lead.custom_fields, lead.tags)
    if _state(lead) == before:
        return lead
    has_captured = lead.has_contact and not had_contact
    if has_captured:
        lead.contact_captured_at = timezone.now()
    lead.updated_at = timezone.now()
    lead.save()
    publish_lead_event(EventType.LEAD_CONTACT_CAPTURED if has_captured else EventType.LEAD_UPDATED, lead)
    after = _state(lead)
    names = sorted(name for name in after if after[name] != before[name])
    # Names of fields alone: the audit log is kept for ever, and an erased lead's data may not live on in it.
    actor.record(
        "lead.change",
        organization=lead.organization_id,
        target=lead.public_id,
        source_id=lead.source_id,
        after={"changed": names},
    )
    return lead


def _state(lead: Lead) -> dict[str, Any]:
    custom = dict(lead.custom_fields)
    return {**{name: getattr(lead, name) for name in PLAIN}, "phone": lead.phone, "custom_fields": custom}


def _merge_fields(lead: Lead, given: Mapping[str, Any]) -> None:
    coerced, errors = coerce(lead.organization_id, given)
    if errors:
        raise Invalid(
            [
                {"pointer": f"#/custom_fields/{name}", "detail": detail, "code": "value"}
                for name, detail in errors.items()
            ]
        )
    merged = {**lead.custom_fields, **coerced}
    lead.custom_fields = {name: value for name, value in merged.items() if value is not None}


def _free_identities(lead: Lead, changes: Mapping[str, Any]) -> None:
    """Let the lead have what one that was merged into it had. Refuse what is another's."""
    others = Lead.objects.filter(source=lead.source_id, is_test=False, erased_at=None).exclude(pk=lead.pk)
    email, unique_id = changes.get("email", ""), changes.get("unique_id", "")
    taken = {"email": others.with_email(email) if email else others.none()}
    taken["unique_id"] = others.filter(unique_id=unique_id) if unique_id else others.none()
    for name, rows in taken.items():
        other = rows.first()
        if other and other.merged_into_id == lead.pk:
            Lead.objects.filter(pk=other.pk).update(**{name: ""})
        elif other:
            detail = f"Another lead of this source has this {name}."
            other_id = encode("lead", other.merged_into_id or other.pk)
            raise Refusal(409, "lead.identifierConflict", detail, extra={"lead_id": other_id})


@transaction.atomic
def block(*, lead: Lead, channel: str, actor: Actor, reason: OptOut.Reason = OptOut.Reason.PERSON) -> OptOut:
    """Block a channel for the lead's address in the whole organization. Blocking twice changes nothing.

    Raise Refusal `lead.noAddress` when the lead has no address on that channel.
    """
    lead = lock_lead(lead.pk)
    new = opt_out(lead=lead, channel=channel, reason=reason, actor=actor)
    if new:
        publish_lead_event(EventType.LEAD_OPTED_OUT, lead)
        return new
    existing = OptOut.objects.of(lead).filter(channel=channel).first()
    if existing is None:
        raise Refusal(422, "lead.noAddress", "The lead has no address on this channel, so there is nothing to block.")
    return existing


@transaction.atomic
def unblock(*, lead: Lead, channel: str, actor: Actor) -> None:
    """Allow a channel again. Allowing an open one changes nothing."""
    lift_opt_out(lead=lock_lead(lead.pk), channel=channel, actor=actor)
