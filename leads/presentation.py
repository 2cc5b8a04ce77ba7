"""A lead as the API and webhooks show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.ids import encode, rfc3339
from leads.models import Lead, OptOut


def lead_json(lead: Lead, opted_out: Iterable[OptOut], *, source_name: str | None = None) -> dict[str, Any]:
    """Return the lead; `source_name` only where a card's option adds it."""
    shown: dict[str, Any] = {"id": lead.public_id, "source_id": encode("src", lead.source_id)}
    if source_name is not None:
        shown["source_name"] = source_name
    return shown | {
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "email": lead.email or None,
        "phone": lead.phone or None,
        "address": lead.address or None,
        "unique_id": lead.unique_id or None,
        "status": lead.status,
        "tags": lead.tags,
        "custom_fields": lead.custom_fields,
        "source": lead.origin or None,
        "source_url": lead.source_url or None,
        "opt_in": lead.opt_in,
        "opt_in_transactional_sms": lead.opt_in_transactional_sms,
        "opted_out": [opt_out_json(opt_out) for opt_out in opted_out],
        "is_new": lead.is_new,
        "is_ready": lead.has_contact,
        "is_test": lead.is_test,
        "contact_captured_at": rfc3339(lead.contact_captured_at),
        "created_at": rfc3339(lead.created_at),
        "updated_at": rfc3339(lead.updated_at),
    }


def opt_out_json(opt_out: OptOut) -> dict[str, Any]:
    return {"channel": opt_out.channel, "at": rfc3339(opt_out.created_at), "reason": opt_out.reason}
